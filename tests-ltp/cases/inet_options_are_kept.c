/* Options of Internet sockets: what they are at first, what may be set, what is refused. */
#include "nos_inet.h"
#include <netinet/tcp.h>

#define CHECK_OPTION(fd, level, name, at_first, value) \
	do { \
		CHECK_EQ(inet_get(fd, level, name), at_first); \
		OK(inet_set(fd, level, name, value)); \
		CHECK_EQ(inet_get(fd, level, name), value); \
	} while (0)

static void ip(int fd)
{
	CHECK_OPTION(fd, IPPROTO_IP, IP_TOS, 0, 0x10);
	CHECK_OPTION(fd, IPPROTO_IP, IP_TTL, 64, 33);
	OK(inet_set(fd, IPPROTO_IP, IP_TTL, -1));
	CHECK_EQ(inet_get(fd, IPPROTO_IP, IP_TTL), 64);
	CHECK_ERRNO(inet_set(fd, IPPROTO_IP, IP_TTL, 256), EINVAL);
	CHECK_ERRNO(inet_set(fd, IPPROTO_IP, IP_TTL, 0), EINVAL);
	unsigned char one = 8;
	OK(setsockopt(fd, IPPROTO_IP, IP_TTL, &one, 1));
	CHECK_EQ(inet_get(fd, IPPROTO_IP, IP_TTL), 8);
	CHECK_OPTION(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT, IP_PMTUDISC_DO);
	CHECK_ERRNO(inet_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, 6), EINVAL);
	CHECK_OPTION(fd, IPPROTO_IP, IP_FREEBIND, 0, 1);
	CHECK_OPTION(fd, IPPROTO_IP, IP_PKTINFO, 0, 1);
	OK(inet_bind(fd, inet_at("10.1.2.3", 0)));
}

int main(void)
{
	int fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0)), value;
	socklen_t length = sizeof value;
	CHECK_ERRNO(getsockopt(fd, IPPROTO_IP, IP_MTU, &value, &length), ENOTCONN);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_SNDBUF), 16384);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_RCVBUF), 131072);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_NODELAY, 0, 1);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_CORK, 0, 1);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_KEEPIDLE, 7200, 100);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_KEEPINTVL, 75, 10);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_KEEPCNT, 9, 3);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_SYNCNT, 6, 2);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 5000);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_LINGER2, 60, 20);
	CHECK_OPTION(fd, IPPROTO_TCP, TCP_MAXSEG, 536, 1000);
	CHECK_ERRNO(inet_set(fd, IPPROTO_TCP, TCP_MAXSEG, 40000), EINVAL);
	CHECK_ERRNO(inet_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 128), EINVAL);
	CHECK_ERRNO(inet_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
	CHECK_ERRNO(inet_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
	CHECK_ERRNO(inet_set(fd, IPPROTO_TCP, 999, 1), ENOPROTOOPT);
	CHECK_ERRNO(inet_set(fd, IPPROTO_IP, 999, 1), ENOPROTOOPT);
	CHECK_ERRNO(inet_set(fd, 999, 1, 1), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 2), EINVAL);
	char name[16];
	OK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	length = sizeof name;
	OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
	CHECK_STR(name, "reno");
	CHECK_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7), ENOENT);
	ip(fd);
	OK(close(fd));

	fd = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
	ip(fd);
	OK(close(fd));

	int fds[2];
	inet_pair(fds);
	CHECK_EQ(inet_get(fds[0], IPPROTO_IP, IP_MTU), 65535);
	struct tcp_info info;
	length = sizeof info;
	OK(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &info, &length));
	CHECK(length >= 104);
	CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
	CHECK(info.tcpi_snd_mss > 0);
	return 0;
}
