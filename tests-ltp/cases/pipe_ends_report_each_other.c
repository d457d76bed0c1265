/* Readers see the end of file when the last writer goes, writers EPIPE and SIGPIPE when the last reader does. */
#include "nos_test.h"
#include <poll.h>

static volatile int got;

static void handler(int sig)
{
	got = sig;
}

int main(void)
{
	int p[2];
	char c;
	OK(pipe(p));
	struct pollfd fds[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
	CHECK_EQ(poll(fds, 2, 0), 1);
	CHECK_EQ(fds[0].revents, 0);
	CHECK_EQ(fds[1].revents, POLLOUT);
	CHECK_EQ(write(p[1], "z", 1), 1);
	CHECK_EQ(poll(fds, 2, -1), 2);
	CHECK_EQ(fds[0].revents, POLLIN);
	OK(close(p[1]));
	CHECK_EQ(poll(fds, 1, -1), 1);
	CHECK_EQ(fds[0].revents, POLLIN | POLLHUP);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 0);
	CHECK_EQ(poll(fds, 1, -1), 1);
	CHECK_EQ(fds[0].revents, POLLHUP);

	signal(SIGPIPE, handler);
	OK(pipe(p));
	OK(close(p[0]));
	fds[1].fd = p[1];
	CHECK_EQ(poll(&fds[1], 1, -1), 1);
	CHECK_EQ(fds[1].revents, POLLOUT | POLLERR);
	CHECK_ERRNO(write(p[1], "z", 1), EPIPE);
	CHECK_EQ(got, SIGPIPE);
	CHECK_ERRNO(read(p[1], &c, 1), EBADF);
	return 0;
}
