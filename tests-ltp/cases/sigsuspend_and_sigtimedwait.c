/* sigsuspend waits with another mask, sigtimedwait takes a blocked signal or times out. */
#include "nos_test.h"

static volatile sig_atomic_t seen;

static void handler(int number)
{
	seen = number;
}

int main(void)
{
	sigset_t set, none;
	siginfo_t info;
	struct timespec short_time = { 0, 50000000 }, bad = { 0, 1000000000 };
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	signal(SIGUSR1, handler);
	OK(raise(SIGUSR1));
	CHECK_EQ(seen, 0);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(seen, SIGUSR1);
	seen = 0;
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(sigtimedwait(&set, &info, &short_time), SIGUSR1);
	CHECK_EQ(info.si_pid, getpid());
	CHECK_EQ(seen, 0);
	int64_t start = test_now();
	CHECK_ERRNO(sigtimedwait(&set, &info, &short_time), EAGAIN);
	CHECK(test_now() - start >= 50000);
	CHECK_ERRNO(sigtimedwait(&set, &info, &bad), EINVAL);
	return 0;
}
