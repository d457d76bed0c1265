/* setitimer(2) of all three kinds, alarm(2), and what they show. */
#include "nos_test.h"
#include <sys/time.h>

static volatile int alarms, virtuals, profiles;

static void on_alarm(int sig)
{
	if (sig == SIGALRM)
		alarms++;
	else if (sig == SIGVTALRM)
		virtuals++;
	else
		profiles++;
}

int main(void)
{
	signal(SIGALRM, on_alarm);
	signal(SIGVTALRM, on_alarm);
	signal(SIGPROF, on_alarm);
	struct itimerval timer = { { 0, 10000 }, { 0, 20000 } }, old;
	OK(setitimer(ITIMER_REAL, &timer, NULL));
	while (alarms < 3)
		pause();
	struct itimerval zero = { { 0, 0 }, { 0, 0 } };
	OK(setitimer(ITIMER_REAL, &zero, &old));
	CHECK_EQ(old.it_interval.tv_usec, 10000);
	CHECK(old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 10000);
	OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_value.tv_usec, 0);

	CHECK_EQ(alarm(100), 0);
	unsigned left = alarm(0);
	CHECK(left >= 99 && left <= 100);
	timer.it_value.tv_usec = 1000000;
	CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
	CHECK_ERRNO(setitimer(3, &zero, NULL), EINVAL);

	timer.it_value.tv_usec = 20000;
	OK(setitimer(ITIMER_VIRTUAL, &timer, NULL));
	OK(setitimer(ITIMER_PROF, &timer, NULL));
	for (volatile long i = 0; virtuals < 2 || profiles < 2; i++)
		;
	return 0;
}
