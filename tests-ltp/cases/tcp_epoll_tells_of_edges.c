/* Edge-triggered epoll on TCP sockets: each arrival is told, room only after there was none, ends once. */
#include "nos_inet.h"
#include <sys/epoll.h>

static int next(int epoll, int timeout)
{
	struct epoll_event event;
	int count = (int)OK(epoll_wait(epoll, &event, 1, timeout));
	return count == 0 ? 0 : (int)(event.events & ~(unsigned)EPOLLET);
}

int main(void)
{
	int fds[2];
	static char block[65536];
	inet_pair(fds);
	OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	int epoll = (int)OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
	CHECK_EQ(next(epoll, 1000), EPOLLOUT);
	CHECK_EQ(next(epoll, 0), 0);
	CHECK_EQ(send(fds[1], "a", 1, 0), 1);
	CHECK_EQ(next(epoll, 1000), EPOLLIN | EPOLLOUT);
	CHECK_EQ(next(epoll, 0), 0);
	CHECK_EQ(send(fds[1], "b", 1, 0), 1);
	CHECK_EQ(next(epoll, 1000), EPOLLIN | EPOLLOUT);
	CHECK_EQ(recv(fds[0], block, sizeof block, 0), 2);
	CHECK_EQ(next(epoll, 20), 0);

	while (send(fds[0], block, sizeof block, 0) > 0)
		;
	CHECK_ERRNO(send(fds[0], block, sizeof block, 0), EAGAIN);
	CHECK_EQ(next(epoll, 20), 0);
	int events = 0;
	while (!(events & EPOLLOUT)) {
		CHECK(recv(fds[1], block, sizeof block, MSG_DONTWAIT) > 0 || errno == EAGAIN);
		events = next(epoll, 0);
	}
	OK(shutdown(fds[1], SHUT_WR));
	while ((events = next(epoll, 1000)) == EPOLLOUT)
		;
	CHECK_EQ(events, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	OK(close(fds[1]));
	events = next(epoll, 1000);
	CHECK(events & EPOLLHUP);
	OK(close(fds[0]));

	/* A listener's edge. */
	int listener = inet_listener(5);
	event = (struct epoll_event){ .events = EPOLLIN | EPOLLET };
	OK(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event));
	CHECK_EQ(next(epoll, 0), 0);
	for (int i = 0; i < 2; i++) {
		int fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
		OK(inet_connect(fd, inet_name(listener)));
		CHECK_EQ(next(epoll, 1000), EPOLLIN);
		CHECK_EQ(next(epoll, 20), 0);
	}
	return 0;
}
