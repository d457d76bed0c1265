/* execve in a thread that is not the leader: the others end, the id stays, the mask and what is pending too. */
#include "nos_test.h"
#include <pthread.h>

static char **arguments;

static void nothing(int sig)
{
	(void)sig;
}

static void *sleeper(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static void *executor(void *argument)
{
	(void)argument;
	char *again[] = { arguments[0], "again", NULL };
	execv("/proc/self/exe", again);
	_exit(99);
}

int main(int argc, char **argv)
{
	arguments = argv;
	if (argc > 1) {
		sigset_t set, pending;
		OK(sigprocmask(SIG_BLOCK, NULL, &set));
		CHECK(sigismember(&set, SIGUSR2) == 1);
		OK(sigpending(&pending));
		CHECK(sigismember(&pending, SIGUSR2) == 1);
		struct sigaction action;
		OK(sigaction(SIGUSR1, NULL, &action));
		CHECK(action.sa_handler == SIG_DFL);
		OK(sigaction(SIGHUP, NULL, &action));
		CHECK(action.sa_handler == SIG_IGN);
		CHECK_EQ(getpid(), syscall(SYS_gettid));
		return 5;
	}
	for (int i = 0; i < 5; i++) {
		pid_t pid = (pid_t)OK(fork());
		if (pid == 0) {
			sigset_t set;
			pthread_t thread;
			sigemptyset(&set);
			sigaddset(&set, SIGUSR2);
			OK(sigprocmask(SIG_BLOCK, &set, NULL));
			OK(kill(getpid(), SIGUSR2));
			signal(SIGUSR1, nothing);
			signal(SIGHUP, SIG_IGN);
			for (int j = 0; j < 4; j++)
				CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
			CHECK_EQ(pthread_create(&thread, NULL, executor, NULL), 0);
			sleeper(NULL);
		}
		CHECK_EQ(WEXITSTATUS(test_wait(pid)), 5);
	}
	return 0;
}
