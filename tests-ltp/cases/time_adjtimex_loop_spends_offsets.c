/* adjtimex(2) with STA_PLL: a part of ADJ_OFFSET is made up in each second; what setting the clock forgets. */
#include "nos_test.h"
#include <sys/timex.h>

static struct timex adjust(struct timex timex)
{
	OK(adjtimex(&timex));
	return timex;
}

static long long now(clockid_t clock)
{
	struct timespec time;
	OK(clock_gettime(clock, &time));
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* How far the steered clock is ahead of the one that is not. */
static long long lead(void)
{
	long long before = now(CLOCK_MONOTONIC), raw = now(CLOCK_MONOTONIC_RAW), after = now(CLOCK_MONOTONIC);
	return before + (after - before) / 2 - raw;
}

int main(void)
{
	struct timex timex = adjust((struct timex){ .modes = ADJ_FREQUENCY | ADJ_TICK | ADJ_STATUS, .tick = 10000 });

	/* The loop is off: the offset is not taken. */
	timex = adjust((struct timex){ .modes = ADJ_OFFSET, .offset = 1000 });
	CHECK_EQ(timex.offset, 0);

	/* Microseconds make the time constant longer. */
	timex = adjust((struct timex){ .modes = ADJ_MICRO | ADJ_TIMECONST, .constant = 3 });
	CHECK_EQ(timex.constant, 7);
	timex = adjust((struct timex){ .modes = ADJ_MICRO | ADJ_TIMECONST, .constant = 9 });
	CHECK_EQ(timex.constant, 10);
	timex = adjust((struct timex){ .modes = ADJ_NANO | ADJ_TIMECONST, .constant = 0 });
	CHECK_EQ(timex.constant, 0);
	CHECK(timex.status & STA_NANO);

	/* A quarter a second. */
	const long offset = 40000000;
	long long start = lead();
	timex = adjust((struct timex){ .modes = ADJ_STATUS | ADJ_OFFSET, .status = STA_PLL, .offset = offset });
	CHECK_EQ(timex.freq, 0);
	CHECK(timex.offset <= offset && timex.offset >= offset - offset / 4 - 1);
	long last = timex.offset;
	for (int second = 0; second < 3; second++) {
		OK(usleep(1000000));
		timex = adjust((struct timex){ .modes = 0 });
		CHECK(timex.offset >= 0 && timex.offset < last);
		last = timex.offset;
	}
	CHECK(last <= offset * 6 / 10);
	/* What is taken off is made up during the second that follows. */
	long long gained = lead() - start, taken = offset - last;
	CHECK(gained <= taken + 1000000);
	CHECK(gained >= taken * 2 / 3 - 1000000);

	/* Microseconds are shown when they are asked for; the largest offset is half a second. */
	timex = adjust((struct timex){ .modes = ADJ_MICRO | ADJ_OFFSET, .offset = -9000000 });
	CHECK(timex.offset >= -500000 && timex.offset <= -500000 * 3 / 4);

	/* Setting the clock ends that. */
	timex = adjust((struct timex){ .modes = ADJ_STATUS | ADJ_MAXERROR, .status = STA_PLL, .maxerror = 5 });
	CHECK_EQ(timex.status & (STA_PLL | STA_UNSYNC), STA_PLL);
	struct timespec wall;
	OK(clock_gettime(CLOCK_REALTIME, &wall));
	OK(clock_settime(CLOCK_REALTIME, &wall));
	timex = adjust((struct timex){ .modes = 0 });
	CHECK_EQ(timex.offset, 0);
	CHECK(timex.status & STA_UNSYNC);
	CHECK_EQ(timex.maxerror, 16000000);

	/* Without the loop, other bits of the status are forgotten, too. */
	timex = adjust((struct timex){ .modes = ADJ_STATUS, .status = 0 });
	CHECK_EQ(timex.status, 0);
	adjust((struct timex){ .modes = ADJ_FREQUENCY | ADJ_TICK | ADJ_STATUS | ADJ_TIMECONST | ADJ_NANO, .tick = 10000, .constant = 2, .status = STA_UNSYNC });
	adjust((struct timex){ .modes = ADJ_MICRO });
	return 0;
}
