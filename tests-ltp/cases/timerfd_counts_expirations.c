/* A timerfd counts its expirations, reports what is left, and can be disarmed. */
#include "nos_test.h"
#include <sys/timerfd.h>

int main(void)
{
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	uint64_t count;
	CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
	struct itimerspec spec = {.it_value = {0, 10000000}, .it_interval = {0, 10000000}}, old;
	OK(timerfd_settime(fd, 0, &spec, NULL));
	usleep(100000);
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK(count >= 8 && count < 1000);
	OK(timerfd_gettime(fd, &old));
	CHECK_EQ(old.it_interval.tv_nsec, 10000000);
	CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 10000000);
	spec = (struct itimerspec){0};
	OK(timerfd_settime(fd, 0, &spec, &old));
	CHECK_EQ(old.it_interval.tv_nsec, 10000000);
	usleep(30000);
	CHECK_ERRNO(read(fd, &count, 8), EAGAIN);

	/* Absolute, in the past: at once. */
	int real = OK(timerfd_create(CLOCK_REALTIME, 0));
	spec.it_value.tv_sec = 1;
	OK(timerfd_settime(real, TFD_TIMER_ABSTIME, &spec, NULL));
	CHECK_EQ(read(real, &count, 8), 8);
	CHECK_EQ(count, 1);
	spec.it_value.tv_nsec = 1000000000;
	CHECK_ERRNO(timerfd_settime(real, 0, &spec, NULL), EINVAL);
	CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
	int other = OK(open("/dev/null", O_RDONLY));
	CHECK_ERRNO(timerfd_gettime(other, &old), EINVAL);
	return 0;
}
