/* Listings of interfaces, addresses, routes, rules and neighbours, checked and unchecked, and the C library on top of them. */
#include "nos_netlink.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/fib_rules.h>
#include <linux/if_arp.h>

static int links, addresses, rules, local_routes;

static void each_link(struct nlmsghdr *header)
{
	struct ifinfomsg *link = NLMSG_DATA(header);
	CHECK_EQ(header->nlmsg_type, RTM_NEWLINK);
	if (link->ifi_index != 1)
		return;
	links++;
	CHECK_EQ(link->ifi_type, ARPHRD_LOOPBACK);
	CHECK(link->ifi_flags & IFF_LOOPBACK);
	struct rtattr *name = find_attribute(header, sizeof *link, IFLA_IFNAME);
	CHECK(name != NULL);
	CHECK_STR((char *)RTA_DATA(name), "lo");
	CHECK_EQ(word_of(header, sizeof *link, IFLA_MTU), 65536);
	CHECK_EQ(word_of(header, sizeof *link, IFLA_TXQLEN), 1000);
	struct rtattr *address = find_attribute(header, sizeof *link, IFLA_ADDRESS);
	CHECK(address != NULL);
	CHECK_EQ(RTA_PAYLOAD(address), 6);
	CHECK(find_attribute(header, sizeof *link, IFLA_STATS64) != NULL);
}

static void each_address(struct nlmsghdr *header)
{
	struct ifaddrmsg *address = NLMSG_DATA(header);
	CHECK_EQ(header->nlmsg_type, RTM_NEWADDR);
	if (address->ifa_family != AF_INET || address->ifa_index != 1)
		return;
	if (word_of(header, sizeof *address, IFA_LOCAL) != htonl(INADDR_LOOPBACK))
		return;
	addresses++;
	CHECK_EQ(address->ifa_prefixlen, 8);
	CHECK_EQ(address->ifa_scope, RT_SCOPE_HOST);
	CHECK_EQ(word_of(header, sizeof *address, IFA_FLAGS), IFA_F_PERMANENT);
	CHECK_EQ(word_of(header, sizeof *address, IFA_ADDRESS), htonl(INADDR_LOOPBACK));
	CHECK_STR((char *)RTA_DATA(find_attribute(header, sizeof *address, IFA_LABEL)), "lo");
}

static void each_rule(struct nlmsghdr *header)
{
	CHECK_EQ(header->nlmsg_type, RTM_NEWRULE);
	rules += ((struct fib_rule_hdr *)NLMSG_DATA(header))->family == AF_INET;
}

static void each_route(struct nlmsghdr *header)
{
	struct rtmsg *route = NLMSG_DATA(header);
	CHECK_EQ(header->nlmsg_type, RTM_NEWROUTE);
	if (route->rtm_family == AF_INET && route->rtm_table == RT_TABLE_LOCAL && route->rtm_dst_len == 8) {
		CHECK_EQ(route->rtm_type, RTN_LOCAL);
		CHECK_EQ(route->rtm_scope, RT_SCOPE_HOST);
		CHECK_EQ(route->rtm_protocol, RTPROT_KERNEL);
		CHECK_EQ(word_of(header, sizeof *route, RTA_DST), htonl(0x7f000000));
		CHECK_EQ(word_of(header, sizeof *route, RTA_PREFSRC), htonl(INADDR_LOOPBACK));
		CHECK_EQ(word_of(header, sizeof *route, RTA_OIF), 1);
		local_routes++;
	}
}

static void nothing(struct nlmsghdr *header)
{
	FAIL("a message of kind %d", header->nlmsg_type);
}

static void bring_up(int fd)
{
	struct request request;
	struct ifinfomsg link = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	begin_request(&request, RTM_NEWLINK, 0, &link, sizeof link);
	CHECK_EQ(ask(fd, &request), 0);
}

int main(void)
{
	struct request request;
	struct ifinfomsg link = { 0 };
	struct ifaddrmsg address = { .ifa_family = AF_INET };
	struct rtmsg route = { .rtm_family = AF_INET };
	struct fib_rule_hdr rule = { .family = AF_INET };
	struct ndmsg neighbour = { .ndm_family = AF_INET };
	int fd = open_netlink(0), on = 1;
	bring_up(fd);

	for (int strict = 0; strict <= 1; strict++) {
		links = addresses = rules = local_routes = 0;
		OK(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof strict));
		begin_request(&request, RTM_GETLINK, NLM_F_DUMP, &link, sizeof link);
		CHECK_EQ(list_all(fd, &request, each_link), 0);
		CHECK_EQ(links, 1);
		begin_request(&request, RTM_GETADDR, NLM_F_DUMP, &address, sizeof address);
		CHECK_EQ(list_all(fd, &request, each_address), 0);
		CHECK_EQ(addresses, 1);
		begin_request(&request, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof route);
		CHECK_EQ(list_all(fd, &request, each_route), 0);
		CHECK_EQ(local_routes, 1);
		begin_request(&request, RTM_GETRULE, NLM_F_DUMP, &rule, sizeof rule);
		CHECK_EQ(list_all(fd, &request, each_rule), 0);
		CHECK_EQ(rules, 3);
		begin_request(&request, RTM_GETNEIGH, NLM_F_DUMP, &neighbour, sizeof neighbour);
		CHECK_EQ(list_all(fd, &request, nothing), 0);
		/* Unchecked, whatever is selected is ignored; a family's byte alone is enough for a listing. */
		link.ifi_index = 1;
		begin_request(&request, RTM_GETLINK, NLM_F_DUMP, &link, sizeof link);
		CHECK_EQ(list_all(fd, &request, strict ? nothing : each_link), strict ? EINVAL : 0);
		link.ifi_index = 0;
		address.ifa_index = 4711;
		begin_request(&request, RTM_GETADDR, NLM_F_DUMP, &address, sizeof address);
		CHECK_EQ(list_all(fd, &request, strict ? nothing : each_address), strict ? ENODEV : 0);
		address.ifa_index = 0;
		begin_request(&request, RTM_GETADDR, NLM_F_DUMP, "\2", 1);
		CHECK_EQ(list_all(fd, &request, strict ? nothing : each_address), strict ? EINVAL : 0);
	}
	OK(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on));
	local_routes = 0;
	route.rtm_table = RT_TABLE_LOCAL;
	begin_request(&request, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof route);
	CHECK_EQ(list_all(fd, &request, each_route), 0);
	CHECK_EQ(local_routes, 1);
	route.rtm_table = 77;
	begin_request(&request, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof route);
	CHECK_EQ(list_all(fd, &request, nothing), ENOENT);
	/* No listing of what nobody lists. */
	begin_request(&request, RTM_GETMULTICAST, NLM_F_DUMP, &link, sizeof link);
	CHECK_EQ(list_all(fd, &request, nothing), EOPNOTSUPP);
	OK(close(fd));

	CHECK_EQ(if_nametoindex("lo"), 1);
	CHECK_EQ(if_nametoindex("nosuch0"), 0);
	char name[IF_NAMESIZE];
	CHECK_STR(if_indextoname(1, name), "lo");
	struct if_nameindex *all = if_nameindex();
	CHECK(all != NULL);
	CHECK_EQ(all[0].if_index, 1);
	CHECK_STR(all[0].if_name, "lo");
	struct ifaddrs *list, *entry;
	OK(getifaddrs(&list));
	int found = 0;
	for (entry = list; entry; entry = entry->ifa_next) {
		if (!entry->ifa_addr || entry->ifa_addr->sa_family != AF_INET || strcmp(entry->ifa_name, "lo"))
			continue;
		struct sockaddr_in *own = (void *)entry->ifa_addr, *mask = (void *)entry->ifa_netmask;
		if (own->sin_addr.s_addr != htonl(INADDR_LOOPBACK))
			continue;
		CHECK_EQ(ntohl(mask->sin_addr.s_addr), 0xff000000);
		CHECK(entry->ifa_flags & IFF_UP);
		found++;
	}
	CHECK_EQ(found, 1);
	freeifaddrs(list);
	return 0;
}
