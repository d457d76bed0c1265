/* A write in another process wakes epoll_wait; a closed file is no longer reported; instances nest but not in cycles. */
#include "nos_test.h"
#include <sys/epoll.h>

int main(void)
{
	int p[2], ep = OK(epoll_create(1));
	struct epoll_event got, event = {.events = EPOLLIN, .data.fd = 7};
	OK(pipe(p));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event));
	pid_t pid = OK(fork());
	if (pid == 0) {
		usleep(30000);
		OK(write(p[1], "x", 1));
		_exit(0);
	}
	CHECK_EQ(epoll_wait(ep, &got, 1, 10000), 1);
	CHECK_EQ(got.data.fd, 7);
	CHECK_EQ(test_wait(pid), 0);

	int outer = OK(epoll_create(1));
	event.data.fd = 8;
	OK(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &event));
	CHECK_EQ(epoll_wait(outer, &got, 1, 1000), 1);
	CHECK_EQ(got.data.fd, 8);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &event), ELOOP);

	OK(close(p[0]));
	CHECK_EQ(epoll_wait(ep, &got, 1, 20), 0);
	CHECK_EQ(epoll_wait(outer, &got, 1, 20), 0);
	CHECK_ERRNO(epoll_wait(p[1], &got, 1, 0), EINVAL);
	return 0;
}
