/* eventfd adds, is read at once or one by one, and blocks at its limit. */
#include "nos_test.h"
#include <sys/eventfd.h>

int main(void)
{
	uint64_t value = 5;
	int fd = (int)OK(eventfd(3, EFD_NONBLOCK));
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 8);
	CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
	CHECK_ERRNO(read(fd, &value, 4), EINVAL);
	value = UINT64_MAX;
	CHECK_ERRNO(write(fd, &value, 8), EINVAL);
	value = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &value, 8), 8);
	value = 1;
	CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
	fd = (int)OK(eventfd(2, EFD_SEMAPHORE));
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 1);
	CHECK_ERRNO(eventfd(0, 0x1000), EINVAL);
	return 0;
}
