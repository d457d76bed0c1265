/* SIGCHLD: siginfo of exits and stops, SA_NOCLDSTOP, SA_NOCLDWAIT and SIG_IGN reap by themselves. */
#include "nos_test.h"

static volatile int count;
static siginfo_t last;

static void on_child(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	last = *info;
	count++;
}

static void wait_for_count(int wanted)
{
	for (int i = 0; i < 1000 && count < wanted; i++)
		usleep(1000);
	CHECK_EQ(count, wanted);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART };
	OK(sigaction(SIGCHLD, &action, NULL));
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0)
		_exit(7);
	wait_for_count(1);
	CHECK_EQ(last.si_code, CLD_EXITED);
	CHECK_EQ(last.si_pid, pid);
	CHECK_EQ(last.si_status, 7);
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 7);

	pid = (pid_t)OK(fork());
	if (pid == 0)
		for (;;)
			pause();
	OK(kill(pid, SIGSTOP));
	wait_for_count(2);
	CHECK_EQ(last.si_code, CLD_STOPPED);
	CHECK_EQ(last.si_status, SIGSTOP);
	int status;
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	OK(kill(pid, SIGCONT));
	wait_for_count(3);
	CHECK_EQ(last.si_code, CLD_CONTINUED);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	OK(kill(pid, SIGKILL));
	wait_for_count(4);
	CHECK_EQ(last.si_code, CLD_KILLED);
	CHECK_EQ(last.si_status, SIGKILL);
	test_wait(pid);

	action.sa_flags |= SA_NOCLDSTOP;
	OK(sigaction(SIGCHLD, &action, NULL));
	pid = (pid_t)OK(fork());
	if (pid == 0)
		for (;;)
			pause();
	OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(count, 4);
	OK(kill(pid, SIGKILL));
	wait_for_count(5);
	test_wait(pid);

	action.sa_flags |= SA_NOCLDWAIT;
	OK(sigaction(SIGCHLD, &action, NULL));
	pid = (pid_t)OK(fork());
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
	signal(SIGCHLD, SIG_IGN);
	pid = (pid_t)OK(fork());
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
	return 0;
}
