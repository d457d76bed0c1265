/* adjtime(3), adjtimex(2) with ADJ_OFFSET_SINGLESHOT: the wall clock is moved by 500 millionths, and no more than asked for. */
#include "nos_test.h"
#include <sys/timex.h>

#define ADJTIME 0x8000
#define SINGLE_SHOT 0x8001
#define READ_ONLY 0xa001

static long long nanos(clockid_t clock)
{
	struct timespec time;
	OK(clock_gettime(clock, &time));
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* The wall clock less the raw clock, in nanoseconds, read close to each other. */
static long long ahead(void)
{
	long long best = 0, least = 1LL << 60;
	for (int i = 0; i < 50; i++) {
		long long before = nanos(CLOCK_MONOTONIC_RAW), wall = nanos(CLOCK_REALTIME);
		long long after = nanos(CLOCK_MONOTONIC_RAW);
		if (after - before < least) {
			least = after - before;
			best = wall - before - least / 2;
		}
	}
	return best;
}

static long slew(unsigned modes, long micros)
{
	struct timex timex = { .modes = modes, .offset = micros };
	OK(adjtimex(&timex));
	return timex.offset;
}

/* How far the wall clock moves in a second, beside the time that passes. */
static long long moves(void)
{
	long long first = ahead(), started = nanos(CLOCK_MONOTONIC_RAW);
	usleep(1000000);
	long long second = ahead(), passed = nanos(CLOCK_MONOTONIC_RAW) - started;
	return (second - first) * 1000000000 / passed;
}

int main(void)
{
	struct timex timex = { .modes = SINGLE_SHOT };
	if (adjtimex(&timex) < 0 && errno == EPERM)
		SKIP("no right to steer the clock");
	CHECK_EQ(slew(READ_ONLY, 0), 0);
	timex.modes = ADJTIME;
	CHECK_ERRNO(adjtimex(&timex), EINVAL);

	long long still = moves();
	CHECK_EQ(slew(SINGLE_SHOT, 1000000), 0);
	/* Linux begins with the next second. */
	usleep(1100000);
	long long forward = moves() - still;
	if (forward < 300000 || forward > 700000)
		FAIL("the clock gains %lld ns a second", forward);
	long left = slew(READ_ONLY, 0);
	CHECK(left < 1000000 && left > 990000);
	long again = slew(READ_ONLY, 5);
	CHECK(again <= left && again > left - 10000);

	/* The other way; and what was left is told. */
	long told = slew(SINGLE_SHOT, -1000000);
	CHECK(told <= left && told > left - 10000);
	usleep(1100000);
	long long backward = moves() - still;
	if (backward > -300000 || backward < -700000)
		FAIL("the clock loses %lld ns a second", -backward);

	/* A clock that is set is right. */
	struct timespec now;
	OK(clock_gettime(CLOCK_REALTIME, &now));
	OK(clock_settime(CLOCK_REALTIME, &now));
	CHECK_EQ(slew(READ_ONLY, 0), 0);

	/* A little: it ends. */
	CHECK_EQ(slew(SINGLE_SHOT, 300), 0);
	for (int i = 0; i < 50 && slew(READ_ONLY, 0) != 0; i++)
		usleep(100000);
	CHECK_EQ(slew(READ_ONLY, 0), 0);
	/* Without the loop of STA_PLL an offset is not taken. */
	timex = (struct timex){ .modes = ADJ_STATUS, .status = STA_UNSYNC };
	OK(adjtimex(&timex));
	timex = (struct timex){ .modes = ADJ_OFFSET, .offset = 1000 };
	OK(adjtimex(&timex));
	CHECK_EQ(timex.offset, 0);
	return 0;
}
