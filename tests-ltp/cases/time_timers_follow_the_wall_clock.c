/* Timers set to a time of the wall clock follow it when it is set; TFD_TIMER_CANCEL_ON_SET tells of it. */
#include "nos_test.h"
#include <poll.h>
#include <sys/timerfd.h>

#define HOUR 3600

static struct timespec wall_at_start, start;

/* Sets the wall clock to so many seconds from where it would be. */
static void set_clock(long ahead)
{
	struct timespec now, wall;
	OK(clock_gettime(CLOCK_MONOTONIC, &now));
	wall.tv_sec = wall_at_start.tv_sec + now.tv_sec - start.tv_sec + ahead;
	wall.tv_nsec = wall_at_start.tv_nsec + now.tv_nsec - start.tv_nsec;
	if (wall.tv_nsec < 0)
		wall.tv_sec--, wall.tv_nsec += 1000000000;
	if (wall.tv_nsec >= 1000000000)
		wall.tv_sec++, wall.tv_nsec -= 1000000000;
	if (clock_settime(CLOCK_REALTIME, &wall))
		SKIP("no right to set the clock");
}

static struct itimerspec in(long seconds, long milliseconds)
{
	struct itimerspec setting = { 0 };
	OK(clock_gettime(CLOCK_REALTIME, &setting.it_value));
	setting.it_value.tv_sec += seconds;
	setting.it_value.tv_nsec += milliseconds * 1000000;
	if (setting.it_value.tv_nsec >= 1000000000)
		setting.it_value.tv_sec++, setting.it_value.tv_nsec -= 1000000000;
	return setting;
}

static int readable(int fd, int milliseconds)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };
	return (int)OK(poll(&item, 1, milliseconds));
}

static uint64_t expirations(int fd)
{
	uint64_t count = 0;
	CHECK_EQ(read(fd, &count, sizeof count), sizeof count);
	return count;
}

static void timer_files(void)
{
	uint64_t count;
	int fd = (int)OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	struct itimerspec later = in(HOUR, 0), now;
	/* The clock goes past it. */
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &later, NULL));
	CHECK_EQ(readable(fd, 20), 0);
	set_clock(2 * HOUR);
	CHECK_EQ(readable(fd, 5000), 1);
	CHECK_EQ(expirations(fd), 1);
	set_clock(0);

	/* It goes back: the time comes later. */
	struct itimerspec soon = in(0, 100);
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &soon, NULL));
	set_clock(-HOUR);
	CHECK_EQ(readable(fd, 300), 0);
	OK(timerfd_gettime(fd, &now));
	CHECK(now.it_value.tv_sec > HOUR - 10 && now.it_value.tv_sec <= HOUR);
	set_clock(0);
	CHECK_EQ(readable(fd, 5000), 1);
	CHECK_EQ(expirations(fd), 1);

	/* From now on is from now on. */
	struct itimerspec relative = { .it_value = { .tv_sec = HOUR } };
	OK(timerfd_settime(fd, TFD_TIMER_CANCEL_ON_SET, &relative, NULL));
	set_clock(2 * HOUR);
	CHECK_EQ(readable(fd, 50), 0);
	set_clock(0);

	/* Periods are the wall clock's. */
	struct itimerspec often = in(0, 10);
	often.it_interval.tv_sec = HOUR;
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &often, NULL));
	CHECK_EQ(readable(fd, 5000), 1);
	CHECK_EQ(expirations(fd), 1);
	set_clock(3 * HOUR + 60);
	CHECK_EQ(readable(fd, 5000), 1);
	CHECK_EQ(expirations(fd), 3);
	set_clock(0);

	CHECK_ERRNO(timerfd_settime(fd, 4, &later, NULL), EINVAL);
	CHECK_ERRNO(read(fd, &count, sizeof count), EAGAIN);
	OK(close(fd));
}

static void cancelling(void)
{
	uint64_t count;
	int how = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
	int fd = (int)OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	struct itimerspec later = in(HOUR, 0);
	OK(timerfd_settime(fd, how, &later, NULL));
	CHECK_ERRNO(read(fd, &count, sizeof count), EAGAIN);
	set_clock(1);
	CHECK_EQ(readable(fd, 1000), 1);
	CHECK_ERRNO(read(fd, &count, sizeof count), ECANCELED);
	/* Told once; the timer goes on. */
	CHECK_ERRNO(read(fd, &count, sizeof count), EAGAIN);
	set_clock(2 * HOUR);
	CHECK_EQ(readable(fd, 5000), 1);
	CHECK_ERRNO(read(fd, &count, sizeof count), ECANCELED);
	set_clock(0);
	/* Who sets it anew without having read is told then. */
	CHECK_ERRNO(timerfd_settime(fd, how, &later, NULL), ECANCELED);
	OK(timerfd_settime(fd, how, &later, NULL));
	/* Who does not ask for it is not told. */
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &later, NULL));
	set_clock(1);
	CHECK_EQ(readable(fd, 50), 0);
	set_clock(0);
	OK(close(fd));
}

static volatile sig_atomic_t arrived;

static void handler(int signal)
{
	(void)signal;
	arrived++;
}

static int arrives(int milliseconds)
{
	for (int i = 0; i < milliseconds && !arrived; i++)
		usleep(1000);
	return arrived;
}

static void posix_timers(void)
{
	timer_t timer;
	struct sigaction action = { .sa_handler = handler };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(timer_create(CLOCK_REALTIME, &event, &timer));
	struct itimerspec later = in(HOUR, 0), soon, now;
	OK(timer_settime(timer, TIMER_ABSTIME, &later, NULL));
	CHECK_EQ(arrives(20), 0);
	set_clock(2 * HOUR);
	CHECK_EQ(arrives(5000), 1);
	set_clock(0);
	arrived = 0;
	soon = in(0, 100);
	OK(timer_settime(timer, TIMER_ABSTIME, &soon, NULL));
	set_clock(-HOUR);
	CHECK_EQ(arrives(300), 0);
	OK(timer_gettime(timer, &now));
	CHECK(now.it_value.tv_sec > HOUR - 10 && now.it_value.tv_sec <= HOUR);
	set_clock(0);
	CHECK_EQ(arrives(5000), 1);
	arrived = 0;
	struct itimerspec relative = { .it_value = { .tv_sec = HOUR } };
	OK(timer_settime(timer, 0, &relative, NULL));
	set_clock(2 * HOUR);
	CHECK_EQ(arrives(50), 0);
	set_clock(0);
	OK(timer_delete(timer));
}

int main(void)
{
	OK(clock_gettime(CLOCK_REALTIME, &wall_at_start));
	OK(clock_gettime(CLOCK_MONOTONIC, &start));
	set_clock(0);
	timer_files();
	cancelling();
	posix_timers();
	return 0;
}
