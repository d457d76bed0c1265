/* SCHED_DEADLINE by sched_setattr: what it takes, who is admitted, what it says about itself, and who may have children. */
#include "nos_sched.h"
#include "nos_test.h"
#include <sched.h>

#define DEADLINE 6
#define RESET_ON_FORK 1
#define MS 1000000ull

static long set(uint64_t runtime, uint64_t deadline, uint64_t period, uint64_t flags)
{
	struct attr attr = {
		.size = sizeof attr, .policy = DEADLINE, .flags = flags, .runtime = runtime, .deadline = deadline, .period = period
	};
	return syscall(SYS_sched_setattr, 0, &attr, 0);
}

static long set_usual(void)
{
	struct attr attr = { .size = sizeof attr, .policy = SCHED_OTHER };
	return syscall(SYS_sched_setattr, 0, &attr, 0);
}

static struct attr get(void)
{
	struct attr attr = { 0 };
	OK(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0));
	return attr;
}

int main(void)
{
	struct { int priority; } none = { 0 }, one = { 1 };
	CHECK_EQ(sched_get_priority_max(DEADLINE), 0);
	CHECK_EQ(sched_get_priority_min(DEADLINE), 0);
	CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, DEADLINE, &none), EINVAL);

	CHECK_ERRNO(set(0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(set(0, 10 * MS, 10 * MS, 0), EINVAL);
	CHECK_ERRNO(set(1023, 10 * MS, 10 * MS, 0), EINVAL);
	CHECK_ERRNO(set(11 * MS, 10 * MS, 20 * MS, 0), EINVAL);
	CHECK_ERRNO(set(1 * MS, 20 * MS, 10 * MS, 0), EINVAL);
	CHECK_ERRNO(set(1 * MS, 10 * MS, 1ull << 63, 0), EINVAL);
	CHECK_ERRNO(set(1 * MS, 10 * MS, 5000 * MS, 0), EINVAL);
	CHECK_ERRNO(set(2000, 50000, 50000, 0), EINVAL);
	CHECK_ERRNO(set(1 * MS, 10 * MS, 10 * MS, 1ull << 20), EINVAL);
	struct attr with_priority = {
		.size = sizeof with_priority, .policy = DEADLINE, .priority = 1, .runtime = MS, .deadline = 10 * MS, .period = 10 * MS
	};
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &with_priority, 0), EINVAL);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);

	/* A period of 0 is the deadline. */
	OK(set(1 * MS, 10 * MS, 0, 0));
	struct attr got = get();
	CHECK_EQ(got.policy, DEADLINE);
	CHECK_EQ(got.priority, 0);
	CHECK_EQ(got.flags, 0);
	CHECK_EQ(got.runtime, 1 * MS);
	CHECK_EQ(got.deadline, 10 * MS);
	CHECK_EQ(got.period, 10 * MS);
	OK(set(2 * MS, 10 * MS, 20 * MS, 0));
	got = get();
	CHECK_EQ(got.runtime, 2 * MS);
	CHECK_EQ(got.period, 20 * MS);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), DEADLINE);
	struct timespec slice = { 1, 1 };
	OK(syscall(SYS_sched_rr_get_interval, 0, &slice));
	CHECK_EQ(slice.tv_sec * 1000000000 + slice.tv_nsec, 0);
	CHECK_ERRNO(syscall(SYS_sched_setparam, 0, &none), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setparam, 0, &one), EINVAL);

	/* It has no children, unless they start with the default policy. */
	CHECK_ERRNO(fork(), EAGAIN);
	OK(set(2 * MS, 10 * MS, 20 * MS, RESET_ON_FORK));
	CHECK_EQ(get().flags, RESET_ON_FORK);
	CHILD({
		CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
		CHECK_EQ(get().nice, 0);
	});

	/* It runs on all CPUs. */
	cpu_set_t all, first;
	OK(sched_getaffinity(0, sizeof all, &all));
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (CPU_COUNT(&all) > 1)
		CHECK_ERRNO(sched_setaffinity(0, sizeof first, &first), EBUSY);
	OK(sched_setaffinity(0, sizeof all, &all));
	OK(set_usual());
	CHECK_EQ(get().policy, SCHED_OTHER);
	if (CPU_COUNT(&all) > 1) {
		OK(sched_setaffinity(0, sizeof first, &first));
		CHECK_ERRNO(set(1 * MS, 10 * MS, 10 * MS, 0), EPERM);
		OK(sched_setaffinity(0, sizeof all, &all));
	}

	/* All together have less than all of the CPUs' time; what one gives up is there for others. */
	int ends[2], admitted = 0, refused = 0;
	OK(pipe(ends));
	pid_t children[64];
	for (int i = 0; i < 64; i++) {
		int results[2];
		OK(pipe(results));
		children[i] = (pid_t)OK(fork());
		if (children[i] == 0) {
			char result = set(10 * MS, 100 * MS, 100 * MS, 0) == 0 ? 0 : (char)errno;
			OK(write(results[1], &result, 1));
			OK(close(ends[1]));
			_exit(read(ends[0], &result, 1) == 0 ? 0 : 1);
		}
		char result = -1;
		CHECK_EQ(read(results[0], &result, 1), 1);
		close(results[0]);
		close(results[1]);
		if (result == 0)
			admitted++;
		else if (result == EBUSY)
			refused++;
		else
			FAIL("child %d: errno %d", i, result);
	}
	int cpus = CPU_COUNT(&all);
	printf("%d of 64 tasks were admitted, a tenth of a CPU each, with %d CPUs\n", admitted, cpus);
	if (cpus <= 4 && (admitted < 7 * cpus || admitted > 95 * cpus / 10))
		FAIL("%d tasks were admitted, %d not", admitted, refused);
	OK(close(ends[1]));
	for (int i = 0; i < 64; i++)
		CHECK_EQ(test_wait(children[i]), 0);

	/* Only the privileged. */
	CHILD({
		OK(setuid(1000));
		CHECK_ERRNO(set(1 * MS, 10 * MS, 10 * MS, 0), EPERM);
	});
	/* The bandwidth of those who ended is free again. */
	for (int tries = 0; set(80 * MS, 100 * MS, 100 * MS, 0) != 0; tries++) {
		CHECK_EQ(errno, EBUSY);
		if (tries > 100)
			FAIL("the bandwidth of ended tasks is not given back");
		usleep(10000);
	}
	return 0;
}
