/* Changes over netlink: their errors, what they say to who listens, and what follows from them. */
#include "nos_netlink.h"
#include <arpa/inet.h>
#include <linux/if_link.h>

static int fd, listener;

/* The next notification is of this kind. */
static struct nlmsghdr *expect(int kind)
{
	static char buffer[4096];
	struct nlmsghdr *header = (void *)buffer;
	ssize_t length = OK(recv(listener, buffer, sizeof buffer, MSG_DONTWAIT));
	CHECK(NLMSG_OK(header, length));
	CHECK_EQ(header->nlmsg_type, kind);
	return header;
}

static void expect_none(void)
{
	char byte;
	CHECK_ERRNO(recv(listener, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

static int change_link(unsigned flags, unsigned mask)
{
	struct request request;
	struct ifinfomsg link = { .ifi_index = 1, .ifi_flags = flags, .ifi_change = mask };
	begin_request(&request, RTM_NEWLINK, 0, &link, sizeof link);
	return ask(fd, &request);
}

static int change_address(int kind, int flags, uint32_t address, int length)
{
	struct request request;
	struct ifaddrmsg fixed = { .ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)length, .ifa_index = 1 };
	begin_request(&request, kind, flags, &fixed, sizeof fixed);
	add_word(&request, IFA_LOCAL, htonl(address));
	return ask(fd, &request);
}

static int change_route(int kind, int flags, uint32_t destination, int length, uint32_t gateway, int interface)
{
	struct request request;
	struct rtmsg fixed = {
		.rtm_family = AF_INET, .rtm_dst_len = (uint8_t)length, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
		.rtm_type = RTN_UNICAST, .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
	};
	begin_request(&request, kind, flags, &fixed, sizeof fixed);
	add_word(&request, RTA_DST, htonl(destination));
	if (gateway)
		add_word(&request, RTA_GATEWAY, htonl(gateway));
	if (interface)
		add_word(&request, RTA_OIF, (uint32_t)interface);
	return ask(fd, &request);
}

/* The way to a destination: the source address, or the negative error. */
static int64_t way_to(uint32_t destination)
{
	struct request request;
	struct rtmsg fixed = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
	char buffer[1024];
	begin_request(&request, RTM_GETROUTE, 0, &fixed, sizeof fixed);
	add_word(&request, RTA_DST, htonl(destination));
	send_request(fd, &request);
	OK(recv(fd, buffer, sizeof buffer, 0));
	struct nlmsghdr *header = (void *)buffer;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(header))->error;
	CHECK_EQ(header->nlmsg_type, RTM_NEWROUTE);
	CHECK_EQ(word_of(header, sizeof fixed, RTA_DST), htonl(destination));
	return ntohl(word_of(header, sizeof fixed, RTA_PREFSRC));
}

static void links(void)
{
	struct request request;
	struct ifinfomsg link = { .ifi_index = 4711 };
	CHECK_EQ(change_link(IFF_UP, IFF_UP), 0);
	CHECK_EQ(change_link(0, IFF_UP), 0);
	CHECK(!(((struct ifinfomsg *)NLMSG_DATA(expect(RTM_NEWLINK)))->ifi_flags & IFF_UP));
	CHECK_EQ(change_link(IFF_UP, IFF_UP), 0);
	struct ifinfomsg *told = NLMSG_DATA(expect(RTM_NEWLINK));
	CHECK_EQ(told->ifi_flags & (IFF_UP | IFF_RUNNING | IFF_LOOPBACK), IFF_UP | IFF_RUNNING | IFF_LOOPBACK);
	CHECK(told->ifi_change & IFF_UP);
	/* The address stayed, and with it its network; that it reaches all of it is new. */
	CHECK_EQ(((struct rtmsg *)NLMSG_DATA(expect(RTM_NEWROUTE)))->rtm_type, RTN_BROADCAST);
	expect_none();

	begin_request(&request, RTM_GETLINK, 0, &link, sizeof link);
	CHECK_EQ(ask(fd, &request), ENODEV);
	begin_request(&request, RTM_SETLINK, 0, &link, sizeof link);
	CHECK_EQ(ask(fd, &request), ENODEV);
	begin_request(&request, RTM_NEWLINK, NLM_F_CREATE, &link, sizeof link);
	add_attribute(&request, IFLA_IFNAME, "some0", 6);
	CHECK_EQ(ask(fd, &request), EOPNOTSUPP);
	link.ifi_index = 0;
	begin_request(&request, RTM_GETLINK, 0, &link, sizeof link);
	CHECK_EQ(ask(fd, &request), EINVAL);
	link.ifi_index = 1;
	begin_request(&request, RTM_DELLINK, 0, &link, sizeof link);
	CHECK_EQ(ask(fd, &request), EOPNOTSUPP);
	begin_request(&request, RTM_NEWLINK, NLM_F_EXCL | NLM_F_CREATE, &link, sizeof link);
	CHECK_EQ(ask(fd, &request), EEXIST);
	begin_request(&request, RTM_SETLINK, 0, &link, sizeof link);
	add_word(&request, IFLA_MTU, 9000);
	CHECK_EQ(ask(fd, &request), 0);
	CHECK_EQ(word_of(expect(RTM_NEWLINK), sizeof link, IFLA_MTU), 9000);
	begin_request(&request, RTM_SETLINK, 0, &link, sizeof link);
	add_word(&request, IFLA_MTU, 65536);
	CHECK_EQ(ask(fd, &request), 0);
	expect(RTM_NEWLINK);
	begin_request(&request, RTM_SETLINK, 0, &link, sizeof link);
	add_attribute(&request, IFLA_IFNAME, "a/b", 4);
	CHECK_EQ(ask(fd, &request), EINVAL);
	begin_request(&request, RTM_SETLINK, 0, &link, sizeof link);
	add_attribute(&request, IFLA_MTU, "", 1);
	CHECK_EQ(ask(fd, &request), ERANGE);
	expect_none();
}

static void addresses(void)
{
	const uint32_t first = 0x0a141e01, second = 0x0a141e02;
	CHECK_EQ(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, first, 24), 0);
	struct nlmsghdr *told = expect(RTM_NEWADDR);
	CHECK_EQ(word_of(told, sizeof(struct ifaddrmsg), IFA_LOCAL), htonl(first));
	CHECK_EQ(((struct ifaddrmsg *)NLMSG_DATA(told))->ifa_flags, IFA_F_PERMANENT);
	told = expect(RTM_NEWROUTE);
	CHECK_EQ(((struct rtmsg *)NLMSG_DATA(told))->rtm_dst_len, 32);
	told = expect(RTM_NEWROUTE);
	CHECK_EQ(((struct rtmsg *)NLMSG_DATA(told))->rtm_dst_len, 24);
	CHECK_EQ(((struct rtmsg *)NLMSG_DATA(told))->rtm_type, RTN_LOCAL);
	told = expect(RTM_NEWROUTE);
	CHECK_EQ(((struct rtmsg *)NLMSG_DATA(told))->rtm_type, RTN_BROADCAST);
	expect_none();
	CHECK_EQ(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, first, 24), EEXIST);
	CHECK_EQ(change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, second, 24), 0);
	told = expect(RTM_NEWADDR);
	CHECK_EQ(((struct ifaddrmsg *)NLMSG_DATA(told))->ifa_flags, IFA_F_PERMANENT | IFA_F_SECONDARY);
	CHECK_EQ(word_of(expect(RTM_NEWROUTE), sizeof(struct rtmsg), RTA_PREFSRC), htonl(first));
	CHECK_EQ(way_to(0x0a141e07), first);
	CHECK_EQ(way_to(second), first);
	/* The first of a network takes the others along. */
	CHECK_EQ(change_address(RTM_DELADDR, 0, first, 24), 0);
	CHECK_EQ(word_of(expect(RTM_DELADDR), sizeof(struct ifaddrmsg), IFA_LOCAL), htonl(second));
	expect(RTM_DELROUTE);
	CHECK_EQ(word_of(expect(RTM_DELADDR), sizeof(struct ifaddrmsg), IFA_LOCAL), htonl(first));
	for (int i = 0; i < 3; i++)
		expect(RTM_DELROUTE);
	expect_none();
	CHECK_EQ(change_address(RTM_DELADDR, 0, second, 24), EADDRNOTAVAIL);
	CHECK_EQ(change_address(RTM_NEWADDR, NLM_F_CREATE, second, 33), EINVAL);
	CHECK_EQ(way_to(0x0a141e07), -ENETUNREACH);

	struct request request;
	struct ifaddrmsg fixed = { .ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = 1 };
	begin_request(&request, RTM_NEWADDR, NLM_F_CREATE, &fixed, sizeof fixed);
	CHECK_EQ(ask(fd, &request), EINVAL);
	fixed.ifa_index = 4711;
	begin_request(&request, RTM_NEWADDR, NLM_F_CREATE, &fixed, sizeof fixed);
	add_word(&request, IFA_LOCAL, htonl(first));
	CHECK_EQ(ask(fd, &request), ENODEV);
	begin_request(&request, RTM_NEWADDR, NLM_F_CREATE, "\2", 1);
	CHECK_EQ(ask(fd, &request), EINVAL);
	expect_none();
}

static void routes(void)
{
	const int new = NLM_F_CREATE | NLM_F_EXCL;
	const uint32_t network = 0x0b000000;
	CHECK_EQ(change_address(RTM_NEWADDR, NLM_F_CREATE, 0x0a141e01, 32), 0);
	expect(RTM_NEWADDR);
	expect(RTM_NEWROUTE);
	expect_none();
	CHECK_EQ(way_to(network + 5), -ENETUNREACH);
	CHECK_EQ(change_route(RTM_NEWROUTE, new, network, 8, 0, 1), 0);
	CHECK_EQ(word_of(expect(RTM_NEWROUTE), sizeof(struct rtmsg), RTA_DST), htonl(network));
	CHECK_EQ(change_route(RTM_NEWROUTE, new, network, 8, 0, 1), EEXIST);
	CHECK_EQ(change_route(RTM_NEWROUTE, NLM_F_CREATE, network, 8, 0, 1), EEXIST);
	CHECK_EQ(change_route(RTM_NEWROUTE, 0, network + 0x10000, 16, 0, 1), ENOENT);
	CHECK_EQ(change_route(RTM_NEWROUTE, new, network + 1, 8, 0, 1), EINVAL);
	CHECK_EQ(change_route(RTM_NEWROUTE, new, network, 33, 0, 1), EINVAL);
	CHECK_EQ(change_route(RTM_NEWROUTE, new, network + 0x10000, 16, 0, 4711), ENODEV);
	CHECK_EQ(change_route(RTM_NEWROUTE, new, 0x0c000000, 8, 0x0d000001, 0), ENETUNREACH);
	CHECK_EQ(way_to(network + 5), 0x0a141e01);
	expect_none();
	CHECK_EQ(change_route(RTM_DELROUTE, 0, network, 8, 0, 1), 0);
	expect(RTM_DELROUTE);
	CHECK_EQ(change_route(RTM_DELROUTE, 0, network, 8, 0, 1), ESRCH);
	CHECK_EQ(change_address(RTM_DELADDR, 0, 0x0a141e01, 32), 0);
	expect(RTM_DELADDR);
	expect(RTM_DELROUTE);
	CHECK_EQ(way_to(0x7f000009), INADDR_LOOPBACK);
}

/* Who asks for it gets its own notification, before the acknowledgement. */
static void echo(void)
{
	struct request request;
	struct ifaddrmsg fixed = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 };
	char buffer[1024];
	struct nlmsghdr *header = (void *)buffer;
	begin_request(&request, RTM_NEWADDR, NLM_F_ACK | NLM_F_ECHO | NLM_F_CREATE, &fixed, sizeof fixed);
	add_word(&request, IFA_LOCAL, htonl(0x0a141e01));
	send_request(fd, &request);
	OK(recv(fd, buffer, sizeof buffer, 0));
	CHECK_EQ(header->nlmsg_type, RTM_NEWADDR);
	CHECK_EQ(header->nlmsg_seq, request.header.nlmsg_seq);
	OK(recv(fd, buffer, sizeof buffer, 0));
	CHECK_EQ(header->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(header))->error, 0);
	CHECK_EQ(expect(RTM_NEWADDR)->nlmsg_seq, request.header.nlmsg_seq);
	expect(RTM_NEWROUTE);
	CHECK_EQ(change_address(RTM_DELADDR, 0, 0x0a141e01, 32), 0);
	expect(RTM_DELADDR);
	expect(RTM_DELROUTE);
	expect_none();
}

/* An acknowledgement with words, and one that does not repeat the request. */
static void details(void)
{
	struct request request;
	struct ifaddrmsg fixed = { .ifa_family = AF_INET, .ifa_prefixlen = 99, .ifa_index = 1 };
	char buffer[1024];
	int on = 1;
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on));
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on));
	begin_request(&request, RTM_NEWADDR, NLM_F_ACK, &fixed, sizeof fixed);
	send_request(fd, &request);
	OK(recv(fd, buffer, sizeof buffer, 0));
	struct nlmsghdr *header = (void *)buffer;
	CHECK_EQ(header->nlmsg_flags, NLM_F_CAPPED | NLM_F_ACK_TLVS);
	struct rtattr *text = find_attribute(header, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG);
	CHECK(text != NULL);
	CHECK_STR((char *)RTA_DATA(text), "ipv4: Invalid prefix length");
	fixed.ifa_prefixlen = 32;
	begin_request(&request, RTM_DELADDR, NLM_F_ACK, &fixed, sizeof fixed);
	add_word(&request, IFA_LOCAL, 0x01010101);
	send_request(fd, &request);
	OK(recv(fd, buffer, sizeof buffer, 0));
	CHECK_STR((char *)RTA_DATA(find_attribute(header, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG)),
		  "ipv4: Address not found");
}

/* Who may not change the network may still look. */
static void without_rights(void)
{
	int other = open_netlink(0);
	CHILD({
		OK(setuid(1000));
		fd = other;
		CHECK_EQ(change_link(IFF_UP, IFF_UP), EPERM);
		CHECK_EQ(way_to(INADDR_LOOPBACK), INADDR_LOOPBACK);
		/* Nor through a socket that the privileged made, nor may it send to others. */
		struct sockaddr_nl peer = { .nl_family = AF_NETLINK, .nl_pid = 1 };
		CHECK_ERRNO(sendto(fd, "x", 1, 0, (struct sockaddr *)&peer, sizeof peer), EPERM);
		fd = open_netlink(0);
		CHECK_EQ(change_link(IFF_UP, IFF_UP), EPERM);
	});
	OK(close(other));
}

int main(void)
{
	fd = open_netlink(0);
	CHECK_EQ(change_link(IFF_UP, IFF_UP), 0);
	listener = open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
	links();
	addresses();
	routes();
	echo();
	details();
	without_rights();
	return 0;
}
