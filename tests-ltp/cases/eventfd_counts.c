/* An eventfd adds what is written and gives it to a reader: all at once, or one by one as a semaphore. */
#include "nos_test.h"
#include <poll.h>
#include <sys/eventfd.h>

int main(void)
{
	uint64_t value;
	int fd = OK(eventfd(3, EFD_NONBLOCK));
	CHECK_ERRNO(read(fd, &value, 7), EINVAL);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 3);
	CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
	value = 5;
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 10);
	value = UINT64_MAX;
	CHECK_ERRNO(write(fd, &value, 8), EINVAL);
	value = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &value, 8), 8);
	struct pollfd poller = {fd, POLLIN | POLLOUT, 0};
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLIN);
	value = 1;
	CHECK_ERRNO(write(fd, &value, 8), EAGAIN);

	int sem = OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
	CHECK_EQ(read(sem, &value, 8), 8);
	CHECK_EQ(value, 1);
	CHECK_EQ(read(sem, &value, 8), 8);
	CHECK_ERRNO(read(sem, &value, 8), EAGAIN);
	CHECK_ERRNO(eventfd(0, 1 << 20), EINVAL);

	/* A blocked reader is woken. */
	int waiter = OK(eventfd(0, 0));
	CHILD({
		usleep(20000);
		value = 9;
		CHECK_EQ(write(waiter, &value, 8), 8);
	});
	CHECK_EQ(read(waiter, &value, 8), 8);
	CHECK_EQ(value, 9);
	return 0;
}
