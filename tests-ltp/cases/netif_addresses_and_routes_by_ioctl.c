/* Addresses of interfaces and routes by ioctl(2) on an Internet socket. */
#include "nos_test.h"
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int fd;

static struct ifreq request_for(const char *name, const char *address)
{
	struct ifreq request = { 0 };
	struct sockaddr_in *internet = (void *)&request.ifr_addr;
	strncpy(request.ifr_name, name, IFNAMSIZ);
	internet->sin_family = AF_INET;
	internet->sin_addr.s_addr = inet_addr(address);
	return request;
}

static int set(unsigned long command, const char *name, const char *address)
{
	struct ifreq request = request_for(name, address);
	return ioctl(fd, command, &request);
}

static const char *get(unsigned long command, const char *name)
{
	struct ifreq request = { 0 };
	strncpy(request.ifr_name, name, IFNAMSIZ);
	OK(ioctl(fd, command, &request));
	CHECK_EQ(request.ifr_addr.sa_family, AF_INET);
	return inet_ntoa(((struct sockaddr_in *)&request.ifr_addr)->sin_addr);
}

static int flags(const char *name, short value)
{
	struct ifreq request = { 0 };
	strncpy(request.ifr_name, name, IFNAMSIZ);
	request.ifr_flags = value;
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

static void addresses(void)
{
	struct ifreq missing = request_for("lo:9", "0.0.0.0");
	CHECK_STR(get(SIOCGIFADDR, "lo"), "127.0.0.1");
	CHECK_STR(get(SIOCGIFNETMASK, "lo"), "255.0.0.0");
	CHECK_STR(get(SIOCGIFDSTADDR, "lo"), "127.0.0.1");
	CHECK_STR(get(SIOCGIFBRDADDR, "lo"), "0.0.0.0");
	CHECK_ERRNO(ioctl(fd, SIOCGIFADDR, &missing), EADDRNOTAVAIL);
	CHECK_ERRNO(set(SIOCSIFNETMASK, "lo:9", "255.0.0.0"), EADDRNOTAVAIL);
	CHECK_ERRNO(set(SIOCSIFADDR, "nosuch0", "10.1.2.3"), ENODEV);
	missing.ifr_addr.sa_family = AF_UNIX;
	CHECK_ERRNO(ioctl(fd, SIOCSIFADDR, &missing), EINVAL);
	CHECK_ERRNO(set(SIOCSIFADDR, "lo:9", "224.1.2.3"), EINVAL);
	/* The class gives the network. */
	OK(set(SIOCSIFADDR, "lo:9", "10.1.2.3"));
	CHECK_STR(get(SIOCGIFADDR, "lo:9"), "10.1.2.3");
	CHECK_STR(get(SIOCGIFNETMASK, "lo:9"), "255.0.0.0");
	CHECK_ERRNO(set(SIOCSIFNETMASK, "lo:9", "255.0.255.0"), EINVAL);
	OK(set(SIOCSIFNETMASK, "lo:9", "255.255.0.0"));
	CHECK_STR(get(SIOCGIFNETMASK, "lo:9"), "255.255.0.0");
	OK(set(SIOCSIFBRDADDR, "lo:9", "10.1.255.255"));
	CHECK_STR(get(SIOCGIFBRDADDR, "lo:9"), "10.1.255.255");
	OK(set(SIOCSIFADDR, "lo:9", "192.168.7.1"));
	CHECK_STR(get(SIOCGIFNETMASK, "lo:9"), "255.255.255.0");
	struct ifreq room[8];
	struct ifconf list = { .ifc_len = sizeof room, .ifc_req = room };
	OK(ioctl(fd, SIOCGIFCONF, &list));
	CHECK_EQ(list.ifc_len, 2 * sizeof *room);
	CHECK_STR(room[1].ifr_name[2] ? room[1].ifr_name : room[0].ifr_name, "lo:9");
	/* Down is gone. */
	OK(flags("lo:9", IFF_UP));
	OK(flags("lo:9", 0));
	CHECK_ERRNO(flags("lo:9", 0), EADDRNOTAVAIL);
	CHECK_STR(get(SIOCGIFADDR, "lo"), "127.0.0.1");
	OK(set(SIOCSIFADDR, "lo:9", "10.1.2.3"));
	OK(set(SIOCSIFADDR, "lo:9", "0.0.0.0"));
	CHECK_ERRNO(flags("lo:9", 0), EADDRNOTAVAIL);
}

static int route(unsigned long command, const char *destination, const char *mask, unsigned short flags, const char *gateway,
		 char *device)
{
	struct rtentry entry = { .rt_flags = flags, .rt_dev = device };
	struct sockaddr_in *address = (void *)&entry.rt_dst;
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = inet_addr(destination);
	address = (void *)&entry.rt_genmask;
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = inet_addr(mask);
	if (gateway) {
		address = (void *)&entry.rt_gateway;
		address->sin_family = AF_INET;
		address->sin_addr.s_addr = inet_addr(gateway);
	}
	return ioctl(fd, command, &entry);
}

static void routes(void)
{
	CHECK_ERRNO(route(SIOCADDRT, "10.7.0.0", "255.255.0.0", RTF_UP, NULL, "nosuch0"), ENODEV);
	CHECK_ERRNO(route(SIOCADDRT, "10.7.0.0", "255.255.0.0", RTF_UP, NULL, NULL), ENODEV);
	CHECK_ERRNO(route(SIOCADDRT, "10.7.0.1", "255.255.0.0", RTF_UP, NULL, "lo"), EINVAL);
	CHECK_ERRNO(route(SIOCADDRT, "10.7.0.0", "255.0.255.0", RTF_UP, NULL, "lo"), EINVAL);
	CHECK_ERRNO(route(SIOCADDRT, "10.7.0.0", "255.255.0.0", RTF_UP | RTF_GATEWAY, NULL, "lo"), EINVAL);
	CHECK_ERRNO(route(SIOCADDRT, "10.7.0.0", "255.255.0.0", RTF_UP | RTF_GATEWAY, "10.99.0.1", NULL), ENETUNREACH);
	CHECK_ERRNO(ioctl(fd, SIOCADDRT, UNMAPPED_ADDRESS), EFAULT);
	OK(route(SIOCADDRT, "10.7.0.0", "255.255.0.0", RTF_UP, NULL, "lo"));
	CHECK_ERRNO(route(SIOCADDRT, "10.7.0.0", "255.255.0.0", RTF_UP, NULL, "lo"), EEXIST);
	OK(route(SIOCADDRT, "10.8.0.1", "0.0.0.0", RTF_UP | RTF_HOST, NULL, "lo"));
	OK(route(SIOCADDRT, "10.6.0.0", "255.255.0.0", RTF_UP | RTF_REJECT, NULL, NULL));
	char *table = test_read_file("/proc/net/route");
	CHECK(strstr(table, "\nlo\t0000070A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0 ") != NULL);
	CHECK(strstr(table, "\nlo\t0100080A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0 ") != NULL);
	CHECK(strstr(table, "\n*\t0000060A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0 ") != NULL);
	CHECK_EQ(strlen(table) % 128, 0);
	OK(route(SIOCDELRT, "10.6.0.0", "255.255.0.0", RTF_REJECT, NULL, NULL));
	OK(route(SIOCDELRT, "10.8.0.1", "0.0.0.0", RTF_HOST, NULL, NULL));
	OK(route(SIOCDELRT, "10.7.0.0", "255.255.0.0", 0, NULL, "lo"));
	CHECK_ERRNO(route(SIOCDELRT, "10.7.0.0", "255.255.0.0", 0, NULL, "lo"), ESRCH);
}

int main(void)
{
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 && errno == EAFNOSUPPORT)
		SKIP("no Internet sockets");
	OK(flags("lo", IFF_UP));
	addresses();
	routes();
	CHILD({
		OK(setuid(1000));
		CHECK_STR(get(SIOCGIFADDR, "lo"), "127.0.0.1");
		CHECK_ERRNO(set(SIOCSIFADDR, "lo", "127.0.0.1"), EPERM);
		CHECK_ERRNO(route(SIOCADDRT, "10.7.0.0", "255.255.0.0", 0, NULL, "lo"), EPERM);
	});
	return 0;
}
