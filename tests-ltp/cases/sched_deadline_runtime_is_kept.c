/*
 * A deadline task that never sleeps gets its runtime in every period and no more; sched_yield ends its period; one that sleeps is woken in time
 * beside tasks of all other policies.
 */
#include "nos_sched.h"
#include "nos_test.h"
#include <sched.h>
#include <sys/resource.h>

#define DEADLINE 6
#define MS 1000000ull

static void set(uint64_t runtime, uint64_t period)
{
	struct attr attr = { .size = sizeof attr, .policy = DEADLINE, .runtime = runtime, .deadline = period, .period = period };
	OK(syscall(SYS_sched_setattr, 0, &attr, 0));
}

static double used(void)
{
	struct timespec time;
	OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(void)
{
	CHILD({
		set(20 * MS, 100 * MS);
		int64_t begin = test_now();
		double before = used();
		while (test_now() - begin < 2000000)
			;
		double share = (used() - before) / ((test_now() - begin) / 1e6);
		if (share < 0.12 || share > 0.27)
			FAIL("a fifth of the time became %.3f", share);
	});
	CHILD({
		set(20 * MS, 50 * MS);
		int64_t begin = test_now();
		for (int i = 0; i < 20; i++)
			OK(sched_yield());
		int64_t took = test_now() - begin;
		if (took < 850000 || took > 1500000)
			FAIL("20 periods of 50 ms took %lld us", (long long)took);
	});
	/* Real-time hogs on every CPU do not keep it from running. */
	pid_t hogs[2];
	for (int i = 0; i < 2; i++) {
		hogs[i] = (pid_t)OK(fork());
		if (hogs[i] == 0) {
			struct { int priority; } param = { 50 };
			OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
			for (int64_t begin = test_now(); test_now() - begin < 4000000;)
				;
			_exit(0);
		}
	}
	CHILD({
		set(5 * MS, 20 * MS);
		int64_t worst = 0;
		for (int i = 0; i < 50; i++) {
			int64_t begin = test_now();
			usleep(10000);
			int64_t late = test_now() - begin - 10000;
			worst = late > worst ? late : worst;
		}
		printf("worst wake-up: %lld us late\n", (long long)worst);
		if (worst > 300000)
			FAIL("it was woken %lld us late", (long long)worst);
	});
	for (int i = 0; i < 2; i++) {
		kill(hogs[i], SIGKILL);
		test_wait(hogs[i]);
	}
	return 0;
}
