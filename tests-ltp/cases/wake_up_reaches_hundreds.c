/* Whatever tells of an event tells everyone who waits for it, however many: poll, read and a mixture with epoll. */
#include "nos_test.h"
#include <poll.h>
#include <sys/epoll.h>

#define WAITERS 300

static void start(int fds[2], int kind)
{
	if (OK(fork()) != 0)
		return;
	close(fds[1]);
	struct pollfd one = { fds[0], POLLIN, 0 };
	if (kind == 0) {
		CHECK_EQ(poll(&one, 1, -1), 1);
		CHECK_EQ(one.revents, POLLHUP);
	} else if (kind == 1) {
		char byte;
		CHECK_EQ(read(fds[0], &byte, 1), 0);
	} else {
		struct epoll_event event = { EPOLLIN, { 0 } };
		int epoll = (int)OK(epoll_create1(0));
		OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
		CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
		CHECK_EQ(event.events, EPOLLHUP);
	}
	_exit(0);
}

int main(void)
{
	int fds[2], status;
	OK(pipe(fds));
	for (int waiter = 0; waiter < WAITERS; waiter++)
		start(fds, waiter % 3);
	OK(usleep(300000));
	/* The last writer goes. */
	OK(close(fds[1]));
	for (int waiter = 0; waiter < WAITERS; waiter++)
		CHECK(wait(&status) > 0 && status == 0);
	return 0;
}
