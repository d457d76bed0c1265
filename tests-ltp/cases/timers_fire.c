/* setitimer sends SIGALRM again and again; timerfd counts expirations. */
#include "nos_test.h"
#include <sys/time.h>
#include <sys/timerfd.h>

static volatile int count;

static void handler(int number)
{
	(void)number;
	count++;
}

int main(void)
{
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, stop = { 0 };
	uint64_t expirations = 0;
	signal(SIGALRM, handler);
	OK(setitimer(ITIMER_REAL, &every, NULL));
	int64_t start = test_now();
	while (count < 5 && test_now() - start < 3000000)
		pause();
	OK(setitimer(ITIMER_REAL, &stop, NULL));
	CHECK(count >= 5);
	CHECK(test_now() - start >= 90000);
	int fd = (int)OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	CHECK_ERRNO(read(fd, &expirations, 8), EAGAIN);
	OK(timerfd_settime(fd, 0, &(struct itimerspec){ { 0, 10000000 }, { 0, 10000000 } }, NULL));
	usleep(100000);
	CHECK_EQ(read(fd, &expirations, 8), 8);
	CHECK(expirations >= 5);
	return 0;
}
