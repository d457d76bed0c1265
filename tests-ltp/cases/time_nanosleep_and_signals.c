/* nanosleep and clock_nanosleep: never early, what is left after a handler, restart without one, absolute times, errors. */
#include "nos_test.h"
#include <sys/time.h>

static void nothing(int signal)
{
	(void)signal;
}

static long clock_sleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
	return syscall(SYS_clock_nanosleep, clock, flags, time, left);
}

static void alarm_in(int microseconds)
{
	struct itimerval timer = { .it_value = { 0, microseconds } };
	OK(setitimer(ITIMER_REAL, &timer, NULL));
}

int main(void)
{
	for (int ms = 1; ms <= 64; ms *= 4) {
		struct timespec nap = { 0, ms * 1000000 };
		int64_t started = test_now();
		OK(nanosleep(&nap, NULL));
		CHECK(test_now() - started >= ms * 1000);
	}
	struct timespec zero = { 0, 0 }, left = { 7, 7 };
	OK(nanosleep(&zero, &left));
	CHECK_EQ(left.tv_sec, 7);

	/* A handler ends the sleep, SA_RESTART or not. */
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	OK(sigaction(SIGALRM, &action, NULL));
	struct timespec second = { 1, 0 };
	alarm_in(200000);
	CHECK_ERRNO(nanosleep(&second, &left), EINTR);
	CHECK_EQ(left.tv_sec, 0);
	CHECK(left.tv_nsec > 300000000 && left.tv_nsec <= 800000000);

	/* A stop and a continue do not. */
	pid_t parent = getpid();
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		usleep(50000);
		kill(parent, SIGSTOP);
		usleep(50000);
		kill(parent, SIGCONT);
		_exit(0);
	}
	struct timespec half = { 0, 400000000 };
	int64_t started = test_now();
	OK(nanosleep(&half, NULL));
	CHECK(test_now() - started >= 400000);
	CHECK_EQ(test_wait(child), 0);

	/* Absolute: on both clocks, and at once for the past. */
	clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI };
	for (int i = 0; i < 4; i++) {
		struct timespec until, now;
		OK(clock_gettime(clocks[i], &until));
		OK(clock_sleep(clocks[i], TIMER_ABSTIME, &until, NULL));
		until.tv_nsec += 50000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		OK(clock_sleep(clocks[i], TIMER_ABSTIME, &until, NULL));
		OK(clock_gettime(clocks[i], &now));
		CHECK(now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
	}

	struct timespec wrong = { 0, 1000000000 }, negative = { -1, 0 };
	CHECK_ERRNO(nanosleep(&wrong, NULL), EINVAL);
	CHECK_ERRNO(nanosleep(&negative, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, UNMAPPED_ADDRESS, NULL), EFAULT);
	CHECK_ERRNO(clock_sleep(77, 0, &zero, NULL), EINVAL);
	CHECK_ERRNO(clock_sleep(CLOCK_MONOTONIC_RAW, 0, &zero, NULL), EOPNOTSUPP);
	CHECK_ERRNO(clock_sleep(CLOCK_THREAD_CPUTIME_ID, 0, &zero, NULL), EOPNOTSUPP);
	return 0;
}
