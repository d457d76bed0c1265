/* Which interrupted calls go on after a handler, and which return EINTR. */
#include "nos_test.h"
#include <poll.h>
#include <sys/time.h>

static volatile int count;

static void on_alarm(int sig)
{
	(void)sig;
	count++;
}

static void arm(int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	OK(sigaction(SIGALRM, &action, NULL));
	struct itimerval timer = { { 0, 0 }, { 0, 30000 } };
	OK(setitimer(ITIMER_REAL, &timer, NULL));
}

int main(void)
{
	int pipes[2];
	char byte;
	OK(pipe(pipes));
	arm(0);
	CHECK_ERRNO(read(pipes[0], &byte, 1), EINTR);
	/* SA_RESTART: the read goes on until the byte comes. */
	pid_t writer = (pid_t)OK(fork());
	if (writer == 0) {
		usleep(150000);
		_exit(write(pipes[1], "x", 1) != 1);
	}
	arm(SA_RESTART);
	CHECK_EQ(read(pipes[0], &byte, 1), 1);
	CHECK_EQ(count, 2);
	CHECK_EQ(test_wait(writer), 0);
	/* poll never goes on after a handler. */
	struct pollfd poller = { .fd = pipes[0], .events = POLLIN };
	arm(SA_RESTART);
	CHECK_ERRNO(poll(&poller, 1, 2000), EINTR);
	/* nanosleep says what is left. */
	struct timespec time = { 2, 0 }, left = { 0, 0 };
	arm(SA_RESTART);
	CHECK_ERRNO(nanosleep(&time, &left), EINTR);
	CHECK(left.tv_sec == 1 && left.tv_nsec > 500000000);
	arm(SA_RESTART);
	CHECK_ERRNO(pause(), EINTR);
	/* A stop and SIGCONT are no handler: the sleep goes on to its end. */
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		struct timespec short_time = { 0, 200000000 };
		_exit(nanosleep(&short_time, NULL) != 0);
	}
	usleep(50000);
	OK(kill(child, SIGSTOP));
	int status;
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	OK(kill(child, SIGCONT));
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
