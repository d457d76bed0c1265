/* CLOCK_REALTIME_ALARM and CLOCK_BOOTTIME_ALARM: sleeps, timers and timerfds, with CAP_WAKE_ALARM only. */
#include "nos_test.h"
#include <sys/timerfd.h>

static const int clocks[] = { CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM };

static long long now(int clock)
{
	struct timespec time;
	OK(clock_gettime(clock, &time));
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void check_sleeps(int clock)
{
	const long long pause_time = 20000000;
	struct timespec time = { 0, pause_time };
	long long before = now(clock);
	int error = clock_nanosleep(clock, 0, &time, NULL);
	if (error == EOPNOTSUPP)
		SKIP("there is no real-time clock");
	CHECK_EQ(error, 0);
	CHECK(now(clock) - before >= pause_time);
	before = now(clock);
	time.tv_sec = (before + pause_time) / 1000000000;
	time.tv_nsec = (before + pause_time) % 1000000000;
	CHECK_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &time, NULL), 0);
	CHECK(now(clock) - before >= pause_time);
}

static void check_timers(int clock)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec setting = { .it_value = { 0, 10000000 } };
	timer_t timer;
	sigset_t signals;
	siginfo_t info;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &signals, NULL));
	OK(timer_create(clock, &event, &timer));
	OK(timer_settime(timer, 0, &setting, NULL));
	CHECK_EQ(sigwaitinfo(&signals, &info), SIGUSR1);
	CHECK_EQ(info.si_code, SI_TIMER);
	OK(timer_delete(timer));

	uint64_t expirations;
	int fd = (int)OK(timerfd_create(clock, 0));
	OK(timerfd_settime(fd, 0, &setting, NULL));
	CHECK_EQ(read(fd, &expirations, sizeof expirations), (ssize_t)sizeof expirations);
	OK(close(fd));
}

int main(void)
{
	for (int i = 0; i < 2; i++) {
		check_sleeps(clocks[i]);
		check_timers(clocks[i]);
	}
	OK(setuid(1000));
	for (int i = 0; i < 2; i++) {
		struct timespec time = { 0, 1000 };
		struct sigevent event = { .sigev_notify = SIGEV_NONE };
		timer_t timer;
		CHECK_EQ(clock_nanosleep(clocks[i], 0, &time, NULL), EPERM);
		CHECK_ERRNO(timer_create(clocks[i], &event, &timer), EPERM);
		CHECK_ERRNO(timerfd_create(clocks[i], 0), EPERM);
		OK(clock_gettime(clocks[i], &time));
	}
	return 0;
}
