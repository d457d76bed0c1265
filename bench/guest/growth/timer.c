/* Setting one of SIZE armed timers anew, to a time far away: POSIX timers (timer_settime), and timer descriptors (timerfd_settime). */
#include "growth.h"
#include <sys/timerfd.h>

static unsigned long timers, fds;
/* The kernel's ids: libc's handles would hide how many there are. */
static int *ids, *descriptors;

/* Between a quarter of an hour and twelve days from now. */
static struct itimerspec far_away(void)
{
	return (struct itimerspec){ .it_value = { .tv_sec = 1000 + (time_t)below(1000000), .tv_nsec = (long)below(1000000000) } };
}

static int arm_timer(int id)
{
	struct itimerspec when = far_away();
	return (int)syscall(SYS_timer_settime, id, 0, &when, NULL);
}

static int arm_fd(int fd)
{
	struct itimerspec when = far_away();
	return timerfd_settime(fd, 0, &when, NULL);
}

static void set_timer(void)
{
	if (arm_timer(ids[below(timers)]) != 0)
		fail("timer_settime");
}

static void set_fd(void)
{
	if (arm_fd(descriptors[below(fds)]) != 0)
		fail("timerfd_settime");
}

/* Both grow to `size` armed ones; 0, or -1 with errno. */
static int grow_timers(unsigned long size)
{
	for (; timers < size; timers++) {
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
		if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &ids[timers]) != 0 || arm_timer(ids[timers]) != 0)
			return -1;
	}
	return 0;
}

static int grow_fds(unsigned long size)
{
	for (; fds < size; fds++) {
		descriptors[fds] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		if (descriptors[fds] < 0 || arm_fd(descriptors[fds]) != 0)
			return -1;
	}
	return 0;
}

int main(int count, char **sizes)
{
	unsigned long most = size_of(sizes[count - 1]);
	raise_limit(RLIMIT_NOFILE, most + 16);
	raise_limit(RLIMIT_SIGPENDING, RLIM_INFINITY);
	ids = calloc(most, sizeof *ids);
	descriptors = calloc(most, sizeof *descriptors);
	/* One kind after the other, so that each is measured with its own kind armed alone. */
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		if (grow_timers(size) != 0)
			print_missing("timer_posix", size, "timer_create");
		else
			print_cost("timer_posix", size, cost_of(set_timer, 1000));
	}
	for (unsigned long i = 0; i < timers; i++)
		syscall(SYS_timer_delete, ids[i]);
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		if (grow_fds(size) != 0)
			print_missing("timer_fd", size, "timerfd_create");
		else
			print_cost("timer_fd", size, cost_of(set_fd, 1000));
	}
	return 0;
}
