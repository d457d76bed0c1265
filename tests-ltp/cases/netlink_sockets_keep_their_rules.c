/* Netlink sockets as such: kinds, ports, groups, options, addresses, peeking, truncation. */
#include "nos_netlink.h"
#include <poll.h>

static struct sockaddr_nl name_of(int fd)
{
	struct sockaddr_nl name;
	socklen_t length = sizeof name;
	OK(getsockname(fd, (struct sockaddr *)&name, &length));
	CHECK_EQ(length, sizeof name);
	CHECK_EQ(name.nl_family, AF_NETLINK);
	return name;
}

static void kinds(void)
{
	int pair[2];
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 31), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 32), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
	CHECK_ERRNO(socketpair(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, pair), EOPNOTSUPP);
	int fd = (int)OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
	int value;
	socklen_t length = sizeof value;
	OK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &length));
	CHECK_EQ(value, NETLINK_ROUTE);
	OK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length));
	CHECK_EQ(value, AF_NETLINK);
	CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
	CHECK_ERRNO(shutdown(fd, SHUT_RDWR), EOPNOTSUPP);
	CHECK_ERRNO(send(fd, "", 0, 0), ENODATA);
	CHECK_ERRNO(send(fd, "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(recv(fd, &value, sizeof value, MSG_DONTWAIT), EAGAIN);
	OK(close(fd));
}

static void ports(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	int first = (int)OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	int second = (int)OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	CHECK_EQ(name_of(first).nl_pid, 0);
	CHECK_ERRNO(bind(first, (struct sockaddr *)&name, 8), EINVAL);
	name.nl_family = AF_UNIX;
	CHECK_ERRNO(bind(first, (struct sockaddr *)&name, sizeof name), EINVAL);
	name.nl_family = AF_NETLINK;
	OK(bind(first, (struct sockaddr *)&name, sizeof name));
	CHECK_EQ(name_of(first).nl_pid, getpid());
	/* The second one of a process gets a number that is no process's. */
	OK(bind(second, (struct sockaddr *)&name, sizeof name));
	CHECK((int)name_of(second).nl_pid < 0);
	name.nl_pid = 12345;
	CHECK_ERRNO(bind(second, (struct sockaddr *)&name, sizeof name), EINVAL);
	OK(close(second));
	second = (int)OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	name.nl_pid = (unsigned)getpid();
	CHECK_ERRNO(bind(second, (struct sockaddr *)&name, sizeof name), EADDRINUSE);
	OK(close(first));
	OK(bind(second, (struct sockaddr *)&name, sizeof name));
	/* Connected to the kernel, which has port 0. */
	struct sockaddr_nl peer = { .nl_family = AF_NETLINK };
	socklen_t length = sizeof peer;
	OK(connect(second, (struct sockaddr *)&peer, sizeof peer));
	OK(getpeername(second, (struct sockaddr *)&peer, &length));
	CHECK_EQ(peer.nl_pid, 0);
	peer.nl_pid = 99999;
	CHECK_ERRNO(sendto(second, "x", 1, 0, (struct sockaddr *)&peer, sizeof peer), ECONNREFUSED);
	OK(close(second));
}

static void groups(void)
{
	int fd = open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR), value = RTNLGRP_IPV4_ROUTE, room[4] = { 0 };
	CHECK_EQ(name_of(fd).nl_groups, RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof value));
	CHECK_EQ(name_of(fd).nl_groups, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
	value = RTNLGRP_LINK;
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &value, sizeof value));
	socklen_t length = sizeof room;
	OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, room, &length));
	CHECK_EQ(length, 8);
	CHECK_EQ(room[0], RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
	for (value = 36; value <= 37; value++)
		if (value == 36)
			OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof value));
		else
			CHECK_ERRNO(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof value), EINVAL);
	value = 0;
	CHECK_ERRNO(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof value), EINVAL);
	OK(close(fd));
}

static void options(void)
{
	static const int switches[] = {
		NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS, NETLINK_LISTEN_ALL_NSID, NETLINK_CAP_ACK, NETLINK_EXT_ACK,
		NETLINK_GET_STRICT_CHK,
	};
	int fd = open_netlink(0), value;
	socklen_t length = sizeof value;
	for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
		for (int on = 1; on >= 0; on--) {
			OK(setsockopt(fd, SOL_NETLINK, switches[i], &on, sizeof on));
			OK(getsockopt(fd, SOL_NETLINK, switches[i], &value, &length));
			CHECK_EQ(value, on);
		}
	}
	CHECK_ERRNO(setsockopt(fd, SOL_NETLINK, 77, &value, sizeof value), ENOPROTOOPT);
	CHECK_ERRNO(getsockopt(fd, SOL_NETLINK, 77, &value, &length), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(fd, 6, 1, &value, sizeof value), ENOPROTOOPT);
	OK(close(fd));
}

static void messages(void)
{
	struct request request;
	struct ifinfomsg link = { .ifi_index = 1 };
	char buffer[2048];
	int fd = open_netlink(0);
	begin_request(&request, RTM_GETLINK, 0, &link, sizeof link);
	send_request(fd, &request);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT };
	CHECK_EQ(poll(&poll_fd, 1, 0), 1);
	CHECK_EQ(poll_fd.revents, POLLIN | POLLOUT);
	ssize_t whole = OK(recv(fd, buffer, 1, MSG_PEEK | MSG_TRUNC));
	CHECK(whole > 100);
	struct sockaddr_nl from;
	struct iovec vector = { buffer, 16 };
	struct msghdr message = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &vector, .msg_iovlen = 1,
	};
	CHECK_EQ(recvmsg(fd, &message, MSG_PEEK), 16);
	CHECK_EQ(message.msg_flags, MSG_TRUNC);
	CHECK_EQ(message.msg_namelen, sizeof from);
	CHECK_EQ(from.nl_pid, 0);
	CHECK_EQ(from.nl_groups, 0);
	CHECK_EQ(read(fd, buffer, sizeof buffer), whole);
	struct nlmsghdr *header = (void *)buffer;
	CHECK_EQ(header->nlmsg_len, whole);
	CHECK_EQ(header->nlmsg_pid, name_of(fd).nl_pid);
	CHECK_EQ(recv(fd, buffer, sizeof buffer, MSG_DONTWAIT), -1);

	/* Two requests in a datagram, an acknowledgement each; what is no request is acknowledged too. */
	struct request none;
	begin_request(&none, NLMSG_NOOP, NLM_F_ACK, "", 0);
	none.header.nlmsg_flags = NLM_F_ACK;
	char both[2 * sizeof none.header];
	memcpy(both, &none.header, sizeof none.header);
	memcpy(both + sizeof none.header, &none.header, sizeof none.header);
	CHECK_EQ(write(fd, both, sizeof both), sizeof both);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(recv(fd, buffer, sizeof buffer, MSG_DONTWAIT), NLMSG_LENGTH(sizeof(struct nlmsgerr)));
		CHECK_EQ(header->nlmsg_type, NLMSG_ERROR);
		CHECK_EQ(header->nlmsg_flags, NLM_F_CAPPED);
	}
	/* A header whose length cannot be is ignored. */
	none.header.nlmsg_len = 400;
	CHECK_EQ(write(fd, &none.header, sizeof none.header), sizeof none.header);
	CHECK_ERRNO(recv(fd, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
	OK(close(fd));
}

int main(void)
{
	kinds();
	ports();
	groups();
	options();
	messages();
	return 0;
}
