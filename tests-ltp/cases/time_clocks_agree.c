/* Clocks: which there are, that they do not go back, that they agree, and their errors. */
#include "nos_test.h"
#include <sys/time.h>
#include <sys/times.h>

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;
	/* The system call, not a shared page. */
	OK(syscall(SYS_clock_gettime, clock, &now));
	CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void agree(clockid_t one, clockid_t other, int64_t within)
{
	int64_t first = read_clock(one), middle = read_clock(other), last = read_clock(one);
	CHECK(middle >= first - within && middle <= last + within);
}

int main(void)
{
	clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
	for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
		int64_t last = read_clock(clocks[i]);
		for (int round = 0; round < 2000; round++) {
			int64_t now = read_clock(clocks[i]);
			CHECK(now >= last);
			last = now;
		}
		struct timespec resolution;
		OK(syscall(SYS_clock_getres, clocks[i], &resolution));
		CHECK_EQ(resolution.tv_sec, 0);
		CHECK(resolution.tv_nsec >= 1 && resolution.tv_nsec <= 10000000);
	}
	agree(CLOCK_MONOTONIC, CLOCK_BOOTTIME, 1000000);
	agree(CLOCK_REALTIME, CLOCK_REALTIME_COARSE, 50000000);
	struct timeval tv;
	OK(syscall(SYS_gettimeofday, &tv, NULL));
	int64_t wall = read_clock(CLOCK_REALTIME) / 1000;
	int64_t of_day = tv.tv_sec * 1000000LL + tv.tv_usec;
	CHECK(wall - of_day >= 0 && wall - of_day < 1000000);
	time_t seconds = syscall(SYS_time, NULL);
	CHECK(seconds - tv.tv_sec >= 0 && seconds - tv.tv_sec <= 1);

	/* CPU time grows with work and not with sleep. */
	int64_t cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	struct timespec nap = { 0, 100000000 };
	OK(nanosleep(&nap, NULL));
	CHECK(read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu < 60000000);
	int64_t end = test_now() + 100000;
	cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	while (test_now() < end)
		;
	CHECK(read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu > 10000000);
	CHECK(times(&(struct tms){ 0 }) != (clock_t)-1);

	CHECK_ERRNO(syscall(SYS_clock_gettime, 77, &nap), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_getres, 77, &nap), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, KERNEL_ADDRESS), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &nap), EINVAL);
	struct timespec wrong = { 1700000000, 1000000000 };
	CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_REALTIME, &wrong), EINVAL);
	return 0;
}
