/* Twice as many tasks that compute as there are CPUs: each gets about half a CPU. */
#include "nos_test.h"
#include <sched.h>

#define MOST 16

static uint64_t used(pid_t pid)
{
	clockid_t clock;
	struct timespec time;
	CHECK_EQ(clock_getcpuclockid(pid, &clock), 0);
	OK(clock_gettime(clock, &time));
	return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int main(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int count = (int)(cpus * 2 < MOST ? cpus * 2 : MOST);
	pid_t hogs[MOST];
	uint64_t before[MOST], sum = 0, share[MOST];
	for (int i = 0; i < count; i++) {
		hogs[i] = (pid_t)OK(fork());
		if (hogs[i] == 0)
			for (;;)
				__asm__ volatile("" ::: "memory");
	}
	struct timespec settle = { 1, 0 }, span = { 4, 0 };
	OK(nanosleep(&settle, NULL));
	for (int i = 0; i < count; i++)
		before[i] = used(hogs[i]);
	OK(nanosleep(&span, NULL));
	for (int i = 0; i < count; i++) {
		share[i] = used(hogs[i]) - before[i];
		sum += share[i];
	}
	for (int i = 0; i < count; i++) {
		OK(kill(hogs[i], SIGKILL));
		test_wait(hogs[i]);
	}
	for (int i = 0; i < count; i++) {
		double relative = (double)share[i] * count / (double)sum;
		if (relative < 0.7 || relative > 1.3)
			FAIL("hog %d of %d got %.2f of its share", i, count, relative);
	}
	return 0;
}
