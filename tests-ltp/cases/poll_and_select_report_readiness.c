/* poll, select and epoll agree on what is ready, and time out. */
#include "nos_test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

int main(void)
{
	int ends[2];
	OK(pipe(ends));
	struct pollfd polled[3] = { { ends[0], POLLIN, 0 }, { ends[1], POLLOUT, 0 }, { 99, POLLIN, 0 } };
	CHECK_EQ(poll(polled, 2, 0), 1);
	CHECK_EQ(polled[0].revents, 0);
	CHECK_EQ(polled[1].revents, POLLOUT);
	CHECK_EQ(poll(polled, 3, 0), 2);
	CHECK_EQ(polled[2].revents, POLLNVAL);
	int64_t start = test_now();
	CHECK_EQ(poll(polled, 1, 60), 0);
	CHECK(test_now() - start >= 60000);

	int epoll = (int)OK(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { EPOLLIN, { .u32 = 7 } }, got[4];
	OK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event), EEXIST);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[1], &event), ENOENT);
	CHECK_EQ(epoll_wait(epoll, got, 4, 0), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(epoll, got, 4, 1000), 1);
	CHECK_EQ(got[0].data.u32, 7);
	CHECK_EQ(got[0].events, EPOLLIN);

	fd_set set;
	struct timeval time = { 0, 0 };
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	CHECK_EQ(select(ends[0] + 1, &set, NULL, NULL, &time), 1);
	CHECK(FD_ISSET(ends[0], &set));
	OK(close(ends[1]));
	char byte;
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(poll(polled, 1, -1), 1);
	CHECK_EQ(polled[0].revents, POLLHUP);
	int file = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event), EPERM);
	return 0;
}
