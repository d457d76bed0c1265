/* nanosleep sleeps as long as asked, and is cut short by a signal with the rest. */
#include "nos_test.h"

static void handler(int number)
{
	(void)number;
}

int main(void)
{
	struct timespec time = { 0, 80000000 }, rest = { 0 }, bad = { 0, -1 };
	int64_t start = test_now();
	OK(nanosleep(&time, NULL));
	int64_t took = test_now() - start;
	CHECK(took >= 80000);
	CHECK(took < 2000000);
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	signal(SIGALRM, handler);
	ualarm(50000, 0);
	time.tv_sec = 5;
	CHECK_ERRNO(nanosleep(&time, &rest), EINTR);
	CHECK_EQ(rest.tv_sec, 5);
	CHECK(rest.tv_nsec <= 40000000);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){ 0, 0 }, NULL), 0);
	struct timespec before, after;
	OK(clock_gettime(CLOCK_REALTIME, &before));
	CHECK(before.tv_sec > 1500000000);
	for (int i = 0; i < 1000; i++) {
		OK(clock_gettime(CLOCK_MONOTONIC, &after));
		if (i)
			CHECK(after.tv_sec > before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec >= before.tv_nsec));
		before = after;
	}
	CHECK_ERRNO(clock_gettime(1234, &after), EINVAL);
	return 0;
}
