/* timer_create and its family: signals with their values, intervals, overruns, inquiries, deletion, errors. */
#include "nos_test.h"

/* The calls themselves: musl keeps its own ids for SIGEV_THREAD. */
static int create(clockid_t clock, struct sigevent *event)
{
	int id = -1;
	OK(syscall(SYS_timer_create, clock, event, &id));
	return id;
}

static long settime(int id, int flags, long value_ms, long interval_ms, struct itimerspec *old)
{
	struct itimerspec new = {
		.it_value = { value_ms / 1000, value_ms % 1000 * 1000000 },
		.it_interval = { interval_ms / 1000, interval_ms % 1000 * 1000000 },
	};
	return syscall(SYS_timer_settime, id, flags, &new, old);
}

int main(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGALRM);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 4711 };
	siginfo_t info;
	struct timespec wait = { 5, 0 };

	/* Once. */
	int id = create(CLOCK_MONOTONIC, &event);
	int64_t started = test_now();
	OK(settime(id, 0, 50, 0, NULL));
	struct itimerspec now;
	OK(syscall(SYS_timer_gettime, id, &now));
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 50000000);
	CHECK_EQ(sigtimedwait(&set, &info, &wait), SIGRTMIN);
	CHECK(test_now() - started >= 50000);
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_value.sival_int, 4711);
	CHECK_EQ(info.si_timerid, id);
	CHECK_EQ(info.si_overrun, 0);
	OK(syscall(SYS_timer_gettime, id, &now));
	CHECK_EQ(now.it_value.tv_sec + now.it_value.tv_nsec, 0);

	/* Again and again; what is not taken in time is counted. */
	OK(settime(id, 0, 10, 10, NULL));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(sigtimedwait(&set, &info, &wait), SIGRTMIN);
	usleep(200000);
	CHECK_EQ(sigtimedwait(&set, &info, &wait), SIGRTMIN);
	CHECK(info.si_overrun >= 5);
	CHECK_EQ(syscall(SYS_timer_getoverrun, id), info.si_overrun);
	struct itimerspec old;
	OK(settime(id, 0, 0, 0, &old));
	CHECK_EQ(old.it_interval.tv_nsec, 10000000);
	CHECK(old.it_value.tv_nsec > 0);
	wait = (struct timespec){ 0, 100000000 };
	while (sigtimedwait(&set, &info, &wait) > 0)
		;

	/* An absolute time in the past expires at once. */
	wait = (struct timespec){ 5, 0 };
	OK(settime(id, TIMER_ABSTIME, 1, 0, NULL));
	CHECK_EQ(sigtimedwait(&set, &info, &wait), SIGRTMIN);
	OK(syscall(SYS_timer_delete, id));
	CHECK_ERRNO(syscall(SYS_timer_delete, id), EINVAL);
	CHECK_ERRNO(settime(id, 0, 1, 0, NULL), EINVAL);

	/* Without an event it is SIGALRM with the timer's id. */
	id = create(CLOCK_REALTIME, NULL);
	OK(settime(id, 0, 5, 0, NULL));
	CHECK_EQ(sigtimedwait(&set, &info, &wait), SIGALRM);
	CHECK_EQ(info.si_value.sival_int, id);
	OK(syscall(SYS_timer_delete, id));

	/* On CPU time: it expires while we compute. */
	event.sigev_signo = SIGALRM;
	id = create(CLOCK_PROCESS_CPUTIME_ID, &event);
	OK(settime(id, 0, 50, 0, NULL));
	sigset_t pending;
	int64_t end = test_now() + 5000000;
	do
		OK(sigpending(&pending));
	while (!sigismember(&pending, SIGALRM) && test_now() < end);
	CHECK(sigismember(&pending, SIGALRM));
	OK(syscall(SYS_timer_delete, id));

	/* Nothing is sent when nothing is wanted. */
	event.sigev_notify = SIGEV_NONE;
	CHECK_EQ(sigtimedwait(&set, &info, &wait), SIGALRM);
	id = create(CLOCK_MONOTONIC, &event);
	OK(settime(id, 0, 10, 0, NULL));
	wait = (struct timespec){ 0, 50000000 };
	CHECK_ERRNO(sigtimedwait(&set, &info, &wait), EAGAIN);

	/* A child has none of its parent's timers. */
	CHILD({ CHECK_ERRNO(syscall(SYS_timer_gettime, id, &now), EINVAL); });

	event.sigev_notify = 77;
	CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = 99;
	CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_create, 77, NULL, &id), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, KERNEL_ADDRESS), EFAULT);
	CHECK_ERRNO(syscall(SYS_timer_settime, 12345, 0, &now, NULL), EINVAL);
	return 0;
}
