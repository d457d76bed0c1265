/* Opening a FIFO waits for the other side, unless O_NONBLOCK or O_RDWR. */
#include "nos_test.h"
#include <poll.h>

int main(void)
{
	OK(mkfifo("fifo", 0600));
	CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	int reader = OK(open("fifo", O_RDONLY | O_NONBLOCK));
	char c;
	CHECK_EQ(read(reader, &c, 1), 0);
	/* No writer came yet: not a hang-up. */
	struct pollfd fd = {reader, POLLIN, 0};
	CHECK_EQ(poll(&fd, 1, 0), 0);
	int writer = OK(open("fifo", O_WRONLY | O_NONBLOCK));
	CHECK_ERRNO(read(reader, &c, 1), EAGAIN);
	CHECK_EQ(write(writer, "a", 1), 1);
	OK(close(writer));
	CHECK_EQ(read(reader, &c, 1), 1);
	CHECK_EQ(poll(&fd, 1, 0), 1);
	CHECK_EQ(fd.revents, POLLHUP);
	OK(close(reader));

	int both = OK(open("fifo", O_RDWR));
	CHECK_EQ(write(both, "b", 1), 1);
	CHECK_EQ(read(both, &c, 1), 1);
	OK(close(both));

	pid_t pid = OK(fork());
	if (pid == 0) {
		int fd = OK(open("fifo", O_WRONLY));
		CHECK_EQ(write(fd, "hello", 5), 5);
		_exit(0);
	}
	char buf[8];
	int fd2 = OK(open("fifo", O_RDONLY));
	CHECK_EQ(read(fd2, buf, sizeof buf), 5);
	CHECK_EQ(read(fd2, buf, sizeof buf), 0);
	CHECK_EQ(test_wait(pid), 0);
	return 0;
}
