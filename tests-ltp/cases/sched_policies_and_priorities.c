/* sched_setscheduler, sched_setparam, sched_setattr and their inquiries: values, errors, inheritance, permissions. */
#include "nos_sched.h"
#include "nos_test.h"
#include <sched.h>
#include <sys/resource.h>

/* musl's wrappers answer ENOSYS. */
static long setscheduler(pid_t pid, int policy, int priority)
{
	struct { int priority; } param = { priority };
	return syscall(SYS_sched_setscheduler, pid, policy, &param);
}

static long getscheduler(pid_t pid)
{
	return syscall(SYS_sched_getscheduler, pid);
}

static int getparam(void)
{
	int priority = -1;
	OK(syscall(SYS_sched_getparam, 0, &priority));
	return priority;
}

static struct attr attr = { .size = 48, .policy = SCHED_OTHER, .nice = 7 };
static struct rlimit none = { 0, 0 };

int main(void)
{
	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
	CHECK_EQ(sched_get_priority_min(SCHED_BATCH), 0);
	CHECK_ERRNO(sched_get_priority_max(77), EINVAL);

	CHECK_EQ(getscheduler(0), SCHED_OTHER);
	CHECK_EQ(getparam(), 0);
	CHECK_ERRNO(setscheduler(0, SCHED_OTHER, 1), EINVAL);
	CHECK_ERRNO(setscheduler(0, SCHED_OTHER, 100), EINVAL);
	CHECK_ERRNO(setscheduler(0, SCHED_OTHER, -1), EINVAL);
	CHECK_ERRNO(setscheduler(0, SCHED_FIFO, 0), EINVAL);
	CHECK_ERRNO(setscheduler(0, SCHED_FIFO, 100), EINVAL);
	CHECK_ERRNO(setscheduler(0, 77, 0), EINVAL);
	CHECK_ERRNO(setscheduler(-1, SCHED_OTHER, 0), EINVAL);
	CHECK_ERRNO(setscheduler(0x7ffffff0, SCHED_OTHER, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, NULL), EINVAL);

	CHILD({
		OK(setscheduler(0, SCHED_RR, 10));
		CHECK_EQ(getscheduler(0), SCHED_RR);
		CHECK_EQ(getparam(), 10);
		struct timespec slice;
		OK(syscall(SYS_sched_rr_get_interval, 0, &slice));
		CHECK_EQ(slice.tv_sec, 0);
		CHECK_EQ(slice.tv_nsec, 100000000);
		CHILD({ CHECK_EQ(getscheduler(0), SCHED_RR); CHECK_EQ(getparam(), 10); });
		OK(setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 20));
		CHECK_EQ(getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
		CHILD({ CHECK_EQ(getscheduler(0), SCHED_OTHER); CHECK_EQ(getparam(), 0); });
		int priority = 30;
		OK(syscall(SYS_sched_setparam, 0, &priority));
		CHECK_EQ(getparam(), 30);
		OK(syscall(SYS_sched_rr_get_interval, 0, &slice));
		CHECK_EQ(slice.tv_nsec, 0);
	});
	CHILD({
		OK(setscheduler(0, SCHED_BATCH, 0));
		CHECK_EQ(getscheduler(0), SCHED_BATCH);
		OK(setscheduler(0, SCHED_IDLE, 0));
		CHECK_EQ(getscheduler(0), SCHED_IDLE);
	});
	CHILD({
		OK(syscall(SYS_sched_setattr, 0, &attr, 0));
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
		memset(&attr, 0xff, sizeof attr);
		OK(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0));
		CHECK_EQ(attr.size, sizeof attr);
		CHECK_EQ(attr.policy, SCHED_OTHER);
		CHECK_EQ(attr.nice, 7);
		CHECK_EQ(attr.priority, 0);
		CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &attr, 8, 0), EINVAL);
		CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 1), EINVAL);
		attr.size = 8;
		CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 0), E2BIG);
	});

	/* Without privilege nice values only rise, and real-time priorities need the limit. */
	CHILD({
		OK(setrlimit(RLIMIT_NICE, &none));
		OK(setrlimit(RLIMIT_RTPRIO, &none));
		OK(setuid(65534));
		OK(setpriority(PRIO_PROCESS, 0, 5));
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 4), EACCES);
		CHECK_ERRNO(setscheduler(0, SCHED_FIFO, 1), EPERM);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, getppid(), 10), EPERM);
	});
	CHILD({
		OK(setpriority(PRIO_PROCESS, 0, 100));
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
		OK(setpriority(PRIO_PROCESS, 0, -100));
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), -20);
	});
	CHECK_ERRNO(getpriority(PRIO_PROCESS, 0x7ffffff0), ESRCH);
	CHECK_ERRNO(getpriority(77, 0), EINVAL);
	return 0;
}
