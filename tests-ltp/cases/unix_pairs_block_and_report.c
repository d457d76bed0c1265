/* Socket pairs: blocking when full, poll, SIGPIPE, MSG_PEEK, MSG_WAITALL, time-outs, large transfers, resets. */
#include "nos_test.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static short ready(int fd, short events)
{
	struct pollfd poller = { .fd = fd, .events = events };
	OK(poll(&poller, 1, 0));
	return poller.revents;
}

int main(void)
{
	int pair[2];
	char buffer[4096];
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	CHECK_EQ(ready(pair[0], POLLIN | POLLOUT), POLLOUT);
	CHECK_ERRNO(read(pair[0], buffer, 1), EAGAIN);
	size_t filled = 0;
	ssize_t count;
	while ((count = write(pair[0], buffer, sizeof buffer)) > 0)
		filled += (size_t)count;
	int full = errno;
	CHECK(full == EAGAIN);
	CHECK(filled >= 65536);
	CHECK_EQ(ready(pair[0], POLLOUT), 0);
	CHECK_EQ(ready(pair[1], POLLIN), POLLIN);
	int queued;
	OK(ioctl(pair[1], FIONREAD, &queued));
	CHECK_EQ(queued, filled);
	size_t drained = 0;
	while ((count = read(pair[1], buffer, sizeof buffer)) > 0)
		drained += (size_t)count;
	CHECK_EQ(drained, filled);
	CHECK_EQ(ready(pair[0], POLLOUT), POLLOUT);

	CHECK_EQ(write(pair[0], "abcdef", 6), 6);
	CHECK_EQ(recv(pair[1], buffer, 3, MSG_PEEK), 3);
	CHECK_EQ(recv(pair[1], buffer, 10, 0), 6);
	CHECK(memcmp(buffer, "abcdef", 6) == 0);
	OK(close(pair[1]));
	CHECK_EQ(ready(pair[0], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_EQ(read(pair[0], buffer, 1), 0);
	CHECK_ERRNO(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHILD({
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGPIPE);
		sigprocmask(SIG_BLOCK, &set, NULL);
		CHECK_ERRNO(write(pair[0], "x", 1), EPIPE);
		sigset_t pending;
		sigpending(&pending);
		CHECK(sigismember(&pending, SIGPIPE) == 1);
	});
	OK(close(pair[0]));

	/* Closed with unread bytes: the peer is told that they were lost. */
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(write(pair[0], "lost", 4), 4);
	OK(close(pair[1]));
	CHECK_ERRNO(read(pair[0], buffer, 1), ECONNRESET);
	CHECK_EQ(read(pair[0], buffer, 1), 0);
	OK(close(pair[0]));

	/* A megabyte through a blocking pair, read with MSG_WAITALL. */
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid_t child = (pid_t)OK(fork());
	static unsigned char big[1 << 20];
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (unsigned char)(i * 7 + i / 4096);
	if (child == 0) {
		close(pair[1]);
		_exit(write(pair[0], big, sizeof big) != sizeof big);
	}
	OK(close(pair[0]));
	static unsigned char got[1 << 20];
	CHECK_EQ(recv(pair[1], got, sizeof got, MSG_WAITALL), sizeof got);
	CHECK(memcmp(big, got, sizeof got) == 0);
	CHECK_EQ(read(pair[1], got, 1), 0);
	CHECK_EQ(test_wait(child), 0);
	OK(close(pair[1]));

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	struct timeval limit = { 0, 50000 };
	OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CHECK_ERRNO(recv(pair[0], buffer, 1, 0), EAGAIN);
	CHECK_ERRNO(read(pair[0], buffer, 1), EAGAIN);
	int value;
	socklen_t length = sizeof value;
	OK(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &length));
	CHECK_EQ(value, SOCK_STREAM);
	OK(getsockopt(pair[0], SOL_SOCKET, SO_DOMAIN, &value, &length));
	CHECK_EQ(value, AF_UNIX);
	OK(getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &value, &length));
	CHECK_EQ(value, 0);
	OK(getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, &length));
	CHECK(value > 0);
	CHECK_ERRNO(getsockopt(pair[0], SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_REUSEADDR, &value, 1), EINVAL);
	return 0;
}
