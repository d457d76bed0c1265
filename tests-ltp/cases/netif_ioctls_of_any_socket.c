/* Interfaces by ioctl(2) on a socket that is no Internet socket: what every family answers. */
#include "nos_test.h"
#include <linux/ethtool.h>
#include <net/if_arp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct ifreq request;

/* Asks about an interface by name. */
static int ask(int fd, unsigned long command, const char *name)
{
	strncpy(request.ifr_name, name, IFNAMSIZ);
	return ioctl(fd, command, &request);
}

static void reads(int fd)
{
	OK(ask(fd, SIOCGIFINDEX, "lo"));
	CHECK_EQ(request.ifr_ifindex, 1);
	memset(request.ifr_name, 0, IFNAMSIZ);
	OK(ioctl(fd, SIOCGIFNAME, &request));
	CHECK_STR(request.ifr_name, "lo");
	request.ifr_ifindex = 4711;
	CHECK_ERRNO(ioctl(fd, SIOCGIFNAME, &request), ENODEV);
	request.ifr_ifindex = -1;
	CHECK_ERRNO(ioctl(fd, SIOCGIFNAME, &request), ENODEV);
	OK(ask(fd, SIOCGIFMTU, "lo"));
	CHECK_EQ(request.ifr_mtu, 65536);
	OK(ask(fd, SIOCGIFTXQLEN, "lo"));
	CHECK_EQ(request.ifr_qlen, 1000);
	OK(ask(fd, SIOCGIFMETRIC, "lo"));
	CHECK_EQ(request.ifr_metric, 0);
	OK(ask(fd, SIOCGIFHWADDR, "lo"));
	CHECK_EQ(request.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	CHECK_EQ(memcmp(request.ifr_hwaddr.sa_data, "\0\0\0\0\0\0", 6), 0);
	OK(ask(fd, SIOCGIFMAP, "lo"));
	CHECK_EQ(request.ifr_map.mem_start, 0);
	/* What is behind a colon names an address, which these do not look at; the name comes back as it was. */
	OK(ask(fd, SIOCGIFINDEX, "lo:7"));
	CHECK_STR(request.ifr_name, "lo:7");
	CHECK_ERRNO(ask(fd, SIOCGIFINDEX, "nosuch0"), ENODEV);
	CHECK_ERRNO(ask(fd, SIOCGIFSLAVE, "lo"), EINVAL);
	CHECK_ERRNO(ioctl(fd, SIOCGIFFLAGS, UNMAPPED_ADDRESS), EFAULT);
	CHECK_ERRNO(ioctl(fd, SIOCGIFMEM, &request), ENOTTY);
	CHECK_ERRNO(ioctl(fd, SIOCGIFCOUNT, &request), ENOTTY);
	CHECK_ERRNO(ask(fd, SIOCDEVPRIVATE, "lo"), EOPNOTSUPP);
	CHECK_ERRNO(ask(fd, SIOCDEVPRIVATE, "nosuch0"), ENODEV);
	CHECK_ERRNO(ioctl(fd, 0x4711, &request), ENOTTY);
	struct ethtool_value value = { .cmd = ETHTOOL_GLINK };
	request.ifr_data = (void *)&value;
	OK(ask(fd, SIOCETHTOOL, "lo"));
	CHECK_EQ(value.data, 1);
}

static void addresses(int fd)
{
	struct ifreq room[8];
	struct ifconf list = { .ifc_len = sizeof room };
	OK(ioctl(fd, SIOCGIFCONF, &list));
	CHECK(list.ifc_len >= (int)sizeof *room);
	CHECK_EQ(list.ifc_len % sizeof *room, 0);
	int all = list.ifc_len;
	list.ifc_req = room;
	list.ifc_len = sizeof room;
	OK(ioctl(fd, SIOCGIFCONF, &list));
	CHECK_EQ(list.ifc_len, all);
	CHECK_STR(room[0].ifr_name, "lo");
	CHECK_EQ(room[0].ifr_addr.sa_family, AF_INET);
	CHECK_EQ(memcmp(room[0].ifr_addr.sa_data, "\0\0\x7f\0\0\1", 6), 0);
	list.ifc_len = sizeof *room - 1;
	OK(ioctl(fd, SIOCGIFCONF, &list));
	CHECK_EQ(list.ifc_len, 0);
}

static void changes(int fd)
{
	OK(ask(fd, SIOCGIFFLAGS, "lo"));
	short flags = request.ifr_flags;
	CHECK_EQ(flags & (IFF_UP | IFF_RUNNING | IFF_LOOPBACK), IFF_UP | IFF_RUNNING | IFF_LOOPBACK);
	request.ifr_flags = IFF_PROMISC;
	OK(ask(fd, SIOCSIFFLAGS, "lo"));
	OK(ask(fd, SIOCGIFFLAGS, "lo"));
	CHECK_EQ(request.ifr_flags, IFF_LOOPBACK | IFF_PROMISC);
	CHECK_STR(test_read_file("/sys/class/net/lo/operstate"), "down\n");
	CHECK_STR(test_read_file("/sys/class/net/lo/flags"), "0x108\n");
	request.ifr_flags = IFF_UP;
	OK(ask(fd, SIOCSIFFLAGS, "lo"));
	OK(ask(fd, SIOCGIFFLAGS, "lo"));
	CHECK_EQ(request.ifr_flags, flags);
	CHECK_STR(test_read_file("/sys/class/net/lo/operstate"), "unknown\n");
	request.ifr_mtu = 4000;
	OK(ask(fd, SIOCSIFMTU, "lo"));
	CHECK_STR(test_read_file("/sys/class/net/lo/mtu"), "4000\n");
	test_write_file("/sys/class/net/lo/mtu", "65536\n");
	OK(ask(fd, SIOCGIFMTU, "lo"));
	CHECK_EQ(request.ifr_mtu, 65536);
	request.ifr_mtu = -1;
	CHECK_ERRNO(ask(fd, SIOCSIFMTU, "lo"), EINVAL);
	request.ifr_qlen = -1;
	CHECK_ERRNO(ask(fd, SIOCSIFTXQLEN, "lo"), EINVAL);
	CHECK_ERRNO(ask(fd, SIOCSIFMETRIC, "lo"), EOPNOTSUPP);
	CHECK_ERRNO(ask(fd, SIOCSIFMAP, "lo"), EOPNOTSUPP);
	CHECK_ERRNO(ask(fd, SIOCSIFFLAGS, "nosuch0"), ENODEV);
	memset(&request.ifr_hwaddr, 0, sizeof request.ifr_hwaddr);
	CHECK_ERRNO(ask(fd, SIOCSIFHWADDR, "lo"), EINVAL);
	request.ifr_hwaddr.sa_family = ARPHRD_LOOPBACK;
	OK(ask(fd, SIOCSIFHWADDR, "lo"));
	request.ifr_hwaddr.sa_data[0] = 1;
	CHECK_ERRNO(ask(fd, SIOCSIFHWADDR, "lo"), EADDRNOTAVAIL);
	/* A new name, and back. */
	strcpy(request.ifr_newname, "a b");
	CHECK_ERRNO(ask(fd, SIOCSIFNAME, "lo"), EINVAL);
	strcpy(request.ifr_newname, "other");
	OK(ask(fd, SIOCSIFNAME, "lo"));
	CHECK_EQ(access("/sys/class/net/lo", F_OK), -1);
	CHECK_STR(test_read_file("/sys/class/net/other/ifindex"), "1\n");
	CHECK_EQ(if_nametoindex("other"), 1);
	strcpy(request.ifr_newname, "lo");
	OK(ask(fd, SIOCSIFNAME, "other"));
	CHECK_STR(test_read_file("/sys/class/net/lo/ifindex"), "1\n");
}

static void without_rights(int fd)
{
	CHILD({
		OK(setuid(1000));
		OK(ask(fd, SIOCGIFFLAGS, "lo"));
		CHECK_ERRNO(ask(fd, SIOCSIFFLAGS, "lo"), EPERM);
		CHECK_ERRNO(ask(fd, SIOCSIFFLAGS, "nosuch0"), EPERM);
		CHECK_ERRNO(ask(fd, SIOCSIFMTU, "lo"), EPERM);
		CHECK_ERRNO(ask(fd, SIOCSIFNAME, "lo"), EPERM);
		CHECK_ERRNO(open("/sys/class/net/lo/mtu", O_WRONLY), EACCES);
	});
}

int main(void)
{
	int fd = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	request.ifr_flags = IFF_UP;
	OK(ask(fd, SIOCSIFFLAGS, "lo"));
	reads(fd);
	addresses(fd);
	changes(fd);
	without_rights(fd);
	/* What is about Internet addresses, only an Internet socket answers. */
	CHECK_ERRNO(ask(fd, SIOCGIFADDR, "lo"), ENOTTY);
	CHECK_ERRNO(ask(fd, SIOCADDRT, "lo"), ENOTTY);
	char *devices = test_read_file("/proc/net/dev");
	CHECK(strstr(devices, "\n    lo: ") != NULL);
	return 0;
}
