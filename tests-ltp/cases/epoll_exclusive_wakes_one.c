/* EPOLLEXCLUSIVE: what may be combined with it, and one of two watching instances is told of an event. */
#include "nos_test.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

static int watch(int fd, unsigned events)
{
	int ep = OK(epoll_create1(0));
	struct epoll_event e = { .events = events, .data.fd = fd };
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	return ep;
}

int main(void)
{
	int fd = OK(eventfd(0, EFD_NONBLOCK));
	int ep = OK(epoll_create1(0)), inner = OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT };
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), EINVAL);
	e.events = EPOLLIN | EPOLLPRI | EPOLLEXCLUSIVE;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), EINVAL);
	e.events = EPOLLIN | EPOLLEXCLUSIVE;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, inner, &e), EINVAL);
	e.events = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLET | EPOLLEXCLUSIVE;
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	e.events = EPOLLIN;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), EINVAL);
	OK(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	e.events = EPOLLIN | EPOLLEXCLUSIVE;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), EINVAL);
	close(ep);

	/* Both sleep; one is woken and takes what there is; the other sleeps until its time is over. */
	int result[2];
	OK(pipe(result));
	int fds[2] = { watch(fd, EPOLLIN | EPOLLEXCLUSIVE), watch(fd, EPOLLIN | EPOLLEXCLUSIVE) };
	for (int i = 0; i < 2; i++) {
		if (OK(fork()) == 0) {
			struct epoll_event got;
			char n = '0' + epoll_wait(fds[i], &got, 1, 1500);
			if (n == '1')
				sleep(1);
			_exit(write(result[1], &n, 1) != 1);
		}
	}
	usleep(300000);
	eventfd_write(fd, 1);
	char seen[2];
	CHECK_EQ(read(result[0], seen, 1), 1);
	CHECK_EQ(read(result[0], seen + 1, 1), 1);
	CHECK_EQ(seen[0] + seen[1], '0' + '1');
	return 0;
}
