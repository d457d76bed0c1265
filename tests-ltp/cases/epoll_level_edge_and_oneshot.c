/* epoll reports states level-triggered, changes edge-triggered, and once with EPOLLONESHOT. */
#include "nos_test.h"
#include <sys/epoll.h>

static int ready(int ep, struct epoll_event *event)
{
	return (int)OK(epoll_wait(ep, event, 4, 0));
}

int main(void)
{
	int p[2], ep = OK(epoll_create1(EPOLL_CLOEXEC));
	char c;
	struct epoll_event got[4], event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
	OK(pipe(p));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event));
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event), EEXIST);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &event), ENOENT);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
	CHECK_ERRNO(epoll_wait(ep, got, 0, 0), EINVAL);
	CHECK_EQ(ready(ep, got), 0);
	OK(write(p[1], "ab", 2));
	CHECK_EQ(ready(ep, got), 1);
	CHECK_EQ(got[0].events, EPOLLIN);
	CHECK(got[0].data.u64 == 0x1122334455667788);
	CHECK_EQ(ready(ep, got), 1);

	event.events = EPOLLIN | EPOLLET;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event));
	CHECK_EQ(ready(ep, got), 1);
	CHECK_EQ(ready(ep, got), 0);
	OK(write(p[1], "c", 1));
	CHECK_EQ(ready(ep, got), 1);
	CHECK_EQ(ready(ep, got), 0);

	event.events = EPOLLIN | EPOLLONESHOT;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event));
	CHECK_EQ(ready(ep, got), 1);
	CHECK_EQ(ready(ep, got), 0);
	OK(write(p[1], "d", 1));
	CHECK_EQ(ready(ep, got), 0);
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event));
	CHECK_EQ(ready(ep, got), 1);

	/* A hang-up is reported unasked; a descriptor that was removed is not. */
	for (int i = 0; i < 4; i++)
		CHECK_EQ(read(p[0], &c, 1), 1);
	OK(close(p[1]));
	event.events = 0;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event));
	CHECK_EQ(ready(ep, got), 1);
	CHECK_EQ(got[0].events, EPOLLHUP);
	OK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	CHECK_EQ(ready(ep, got), 0);

	int file = OK(open("regular", O_CREAT | O_RDWR, 0600));
	event.events = EPOLLIN;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, file, &event), EPERM);
	return 0;
}
