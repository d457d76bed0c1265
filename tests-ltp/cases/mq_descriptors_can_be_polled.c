/* poll(2) and epoll(7) on message queues. */
#include "nos_mq.h"
#include <poll.h>
#include <sys/epoll.h>

static short events(mqd_t queue)
{
	struct pollfd item = { .fd = queue, .events = POLLIN | POLLOUT };
	OK(poll(&item, 1, 0));
	return item.revents;
}

int main(void)
{
	mqd_t queue = mq_fresh("/poll", 1, 64, 0);
	CHECK_EQ(events(queue), POLLOUT);
	OK(mq_put(queue, "x", 0));
	CHECK_EQ(events(queue), POLLIN);
	struct pollfd item = { .fd = queue, .events = POLLOUT };
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		usleep(50000);
		CHECK_STR(mq_take(queue, NULL), "x");
		usleep(50000);
		OK(mq_put(queue, "y", 0));
		_exit(0);
	}
	CHECK_EQ(poll(&item, 1, 5000), 1);
	CHECK_EQ(item.revents, POLLOUT);
	int epoll = (int)OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	OK(epoll_ctl(epoll, EPOLL_CTL_ADD, queue, &event));
	CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
	CHECK_EQ(event.events, EPOLLIN);
	CHECK_EQ(test_wait(child), 0);
	CHECK_STR(mq_take(queue, NULL), "y");
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	return 0;
}
