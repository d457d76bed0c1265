/* ppoll waits with another signal mask: a signal blocked before ends it with EINTR, and the old mask comes back. */
#include "nos_test.h"
#include <poll.h>

static volatile int got;

static void handler(int sig)
{
	got = sig;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	OK(sigaction(SIGUSR1, &action, NULL));
	sigset_t blocked, empty, now;
	sigemptyset(&empty);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ(got, 0);
	struct timespec wait = {10, 0};
	CHECK_ERRNO(ppoll(NULL, 0, &wait, &empty), EINTR);
	CHECK_EQ(got, SIGUSR1);
	OK(sigprocmask(SIG_SETMASK, NULL, &now));
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	wait = (struct timespec){0, 1000000};
	CHECK_EQ(ppoll(NULL, 0, &wait, &empty), 0);
	struct timespec bad = {0, 1000000000};
	CHECK_ERRNO(ppoll(NULL, 0, &bad, NULL), EINVAL);
	/* More descriptors than may be open. */
	CHECK_ERRNO(poll(NULL, (nfds_t)-1, 0), EINVAL);
	return 0;
}
