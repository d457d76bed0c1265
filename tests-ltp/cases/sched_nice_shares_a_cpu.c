/* Two tasks that compute share one CPU by their nice values: 0 and 5 as 1024 to 335. */
#include "nos_test.h"
#include <sched.h>
#include <sys/resource.h>

static uint64_t cpu_time(clockid_t clock)
{
	struct timespec used;
	OK(clock_gettime(clock, &used));
	return (uint64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static pid_t hog(int nice_value)
{
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(setpriority(PRIO_PROCESS, 0, nice_value));
		for (;;)
			__asm__ volatile("" ::: "memory");
	}
	return child;
}

int main(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof one, &one));
	pid_t plain = hog(0), nicer = hog(5);
	struct timespec settle = { 0, 300000000 }, span = { 5, 0 };
	clockid_t plain_clock, nicer_clock;
	CHECK_EQ(clock_getcpuclockid(plain, &plain_clock), 0);
	CHECK_EQ(clock_getcpuclockid(nicer, &nicer_clock), 0);
	OK(nanosleep(&settle, NULL));
	uint64_t plain_before = cpu_time(plain_clock), nicer_before = cpu_time(nicer_clock);
	OK(nanosleep(&span, NULL));
	uint64_t plain_used = cpu_time(plain_clock) - plain_before;
	uint64_t nicer_used = cpu_time(nicer_clock) - nicer_before;
	OK(kill(plain, SIGKILL));
	OK(kill(nicer, SIGKILL));
	test_wait(plain);
	test_wait(nicer);
	double share = (double)plain_used / (double)(plain_used + nicer_used);
	double expected = 1024.0 / (1024.0 + 335.0);
	if (share < expected - 0.05 || share > expected + 0.05)
		FAIL("nice 0 got %.3f of the CPU, not %.3f", share, expected);
	return 0;
}
