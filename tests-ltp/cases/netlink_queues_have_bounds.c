/* Long listings come in parts; a listener without room loses messages and is told; processes talk to one another. */
#include "nos_netlink.h"
#include <arpa/inet.h>
#include <poll.h>

#define ROUTES 1000

static int seen;

static void each_route(struct nlmsghdr *header)
{
	struct rtmsg *route = NLMSG_DATA(header);
	seen += route->rtm_table == RT_TABLE_MAIN && route->rtm_protocol == 99;
}

static int change_route(int fd, int kind, int index)
{
	struct request request;
	struct rtmsg fixed = {
		.rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = 99,
		.rtm_type = RTN_UNICAST, .rtm_scope = RT_SCOPE_LINK,
	};
	begin_request(&request, kind, kind == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0, &fixed, sizeof fixed);
	add_word(&request, RTA_DST, htonl(0x0a000000 + (unsigned)index));
	add_word(&request, RTA_OIF, 1);
	return ask(fd, &request);
}

static void change_link(int fd, unsigned flags, unsigned mask)
{
	struct request request;
	struct ifinfomsg link = { .ifi_index = 1, .ifi_flags = flags, .ifi_change = mask };
	begin_request(&request, RTM_NEWLINK, 0, &link, sizeof link);
	CHECK_EQ(ask(fd, &request), 0);
}

static void listings(int fd)
{
	struct request request;
	struct rtmsg route = { .rtm_family = AF_INET };
	char part[65536];
	for (int index = 0; index < ROUTES; index++)
		CHECK_EQ(change_route(fd, RTM_NEWROUTE, index), 0);
	begin_request(&request, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof route);
	CHECK_EQ(list_all(fd, &request, each_route), 0);
	CHECK_EQ(seen, ROUTES);
	/* One after the other. */
	int other = open_netlink(0);
	send_request(other, &request);
	ssize_t length = OK(recv(other, part, sizeof part, MSG_PEEK));
	CHECK(length >= 1000 && length <= 32768);
	request.header.nlmsg_seq++;
	send_request(other, &request);
	int refused = 0, done = 0;
	while (!done) {
		length = OK(recv(other, part, sizeof part, MSG_DONTWAIT));
		struct nlmsghdr *header = (void *)part;
		for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
			done |= header->nlmsg_type == NLMSG_DONE;
			if (header->nlmsg_type != NLMSG_ERROR)
				continue;
			CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(header))->error, -EBUSY);
			refused++;
		}
	}
	CHECK_EQ(refused, 1);
	OK(close(other));
	for (int index = 0; index < ROUTES; index++)
		CHECK_EQ(change_route(fd, RTM_DELROUTE, index), 0);
}

static void losses(int fd)
{
	int listener = open_netlink(RTMGRP_LINK), size = 1;
	char buffer[4096];
	OK(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
	for (int i = 0; i < 20; i++)
		change_link(fd, i % 2 ? 0 : IFF_PROMISC, IFF_PROMISC);
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	CHECK_EQ(poll(&poll_fd, 1, 0), 1);
	CHECK_EQ(poll_fd.revents, POLLIN | POLLERR);
	CHECK_ERRNO(recv(listener, buffer, sizeof buffer, MSG_DONTWAIT), ENOBUFS);
	int kept = 0;
	while (recv(listener, buffer, sizeof buffer, MSG_DONTWAIT) > 0)
		kept++;
	CHECK(kept >= 1 && kept < 20);
	CHECK_ERRNO(recv(listener, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
	change_link(fd, IFF_PROMISC, IFF_PROMISC);
	CHECK(recv(listener, buffer, sizeof buffer, MSG_DONTWAIT) > 0);
	change_link(fd, 0, IFF_PROMISC);
	OK(close(listener));
}

static void between_processes(void)
{
	struct sockaddr_nl name, from;
	socklen_t length = sizeof name;
	int first = open_netlink(0), second = open_netlink(0);
	char buffer[64];
	OK(getsockname(second, (struct sockaddr *)&name, &length));
	CHECK_EQ(sendto(first, "hello", 5, 0, (struct sockaddr *)&name, sizeof name), 5);
	length = sizeof from;
	CHECK_EQ(recvfrom(second, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length), 5);
	CHECK_EQ(memcmp(buffer, "hello", 5), 0);
	getsockname(first, (struct sockaddr *)&name, &length);
	CHECK_EQ(from.nl_pid, name.nl_pid);
	/* A group gets it beside the kernel. */
	int group = 20;
	OK(setsockopt(second, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
	struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = 1U << (group - 1) };
	CHECK_EQ(sendto(first, "all", 3, 0, (struct sockaddr *)&all, sizeof all), 3);
	CHECK_EQ(recvfrom(second, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length), 3);
	CHECK_EQ(from.nl_groups, all.nl_groups);
	CHECK_ERRNO(recv(first, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
	/* A receiver without room makes its sender wait. */
	int sent = 0, size = 1;
	OK(getsockname(second, (struct sockaddr *)&name, &length));
	CHECK_EQ(name.nl_groups, all.nl_groups);
	name.nl_groups = 0;
	OK(setsockopt(second, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
	while (sendto(first, buffer, sizeof buffer, MSG_DONTWAIT, (struct sockaddr *)&name, sizeof name) > 0)
		sent++;
	CHECK_ERRNO(sendto(first, buffer, 1, MSG_DONTWAIT, (struct sockaddr *)&name, sizeof name), EAGAIN);
	CHECK(sent >= 1 && sent < 100);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_EQ(sendto(first, "last", 4, 0, (struct sockaddr *)&name, sizeof name), 4);
		_exit(0);
	}
	usleep(20000);
	while (recv(second, buffer, sizeof buffer, 0) != 4)
		;
	CHECK_EQ(test_wait(child), 0);
	OK(close(first));
	OK(close(second));
}

int main(void)
{
	int fd = open_netlink(0);
	change_link(fd, IFF_UP, IFF_UP);
	listings(fd);
	losses(fd);
	between_processes();
	return 0;
}
