/* Process signals go to a thread that takes them; stops, kills and exits take all threads. */
#include "nos_test.h"
#include <pthread.h>
#include <stdatomic.h>

#define THREADS 8

static _Atomic int handled, wrong_thread;
static pthread_t chosen;
static _Atomic int ready;

static void on_signal(int sig)
{
	(void)sig;
	if (!pthread_equal(pthread_self(), chosen))
		wrong_thread++;
	handled++;
}

static void *blocked_thread(void *argument)
{
	sigset_t set;
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	ready++;
	for (;;)
		pause();
	return argument;
}

static void *open_thread(void *argument)
{
	chosen = pthread_self();
	ready++;
	for (;;)
		pause();
	return argument;
}

static void start_threads(void)
{
	pthread_t thread;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&thread, NULL, blocked_thread, NULL), 0);
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		sigset_t set;
		pthread_t thread;
		start_threads();
		CHECK_EQ(pthread_create(&thread, NULL, open_thread, NULL), 0);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		while (ready < THREADS + 1)
			sched_yield();
		for (int i = 1; i <= 50; i++) {
			OK(kill(getpid(), SIGUSR1));
			while (handled < i)
				sched_yield();
		}
		CHECK_EQ(wrong_thread, 0);
		/* All threads end with one of them. */
		_exit(9);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(pid)), 9);

	pid = (pid_t)OK(fork());
	if (pid == 0) {
		start_threads();
		blocked_thread(NULL);
	}
	usleep(50000);
	int status;
	for (int i = 0; i < 10; i++) {
		OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		OK(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK(WIFCONTINUED(status));
	}
	OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	OK(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(test_wait(pid)), SIGKILL);
	return 0;
}
