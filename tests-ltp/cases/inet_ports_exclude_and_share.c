/* Local ports: who excludes whom, and which ports are given to those who do not ask. */
#include "nos_inet.h"

static int type;

static int bound(const char *address, int port, int option)
{
	int fd = (int)OK(socket(AF_INET, type, 0));
	if (option != 0)
		OK(inet_set(fd, SOL_SOCKET, option, 1));
	if (inet_bind(fd, inet_at(address, port)) < 0) {
		int error = errno;
		OK(close(fd));
		errno = error;
		return -1;
	}
	return fd;
}

static void rules(void)
{
	int first = bound("127.0.0.1", 0, 0), port = inet_port(first);
	CHECK_ERRNO(bound("127.0.0.1", port, 0), EADDRINUSE);
	CHECK_ERRNO(bound("0.0.0.0", port, 0), EADDRINUSE);
	CHECK_ERRNO(bound("127.0.0.1", port, SO_REUSEADDR), EADDRINUSE);
	int other = (int)OK(bound("127.0.0.2", port, 0));
	OK(close(first));
	OK(close(other));
	first = bound("0.0.0.0", port, SO_REUSEADDR);
	other = (int)OK(bound("0.0.0.0", port, SO_REUSEADDR));
	CHECK_ERRNO(bound("0.0.0.0", port, SO_REUSEPORT), EADDRINUSE);
	if (type == SOCK_STREAM) {
		OK(listen(first, 1));
		CHECK_ERRNO(listen(other, 1), EADDRINUSE);
		CHECK_ERRNO(bound("127.0.0.1", port, SO_REUSEADDR), EADDRINUSE);
	}
	OK(close(first));
	OK(close(other));
	first = bound("127.0.0.1", port, SO_REUSEPORT);
	other = (int)OK(bound("127.0.0.1", port, SO_REUSEPORT));
	if (type == SOCK_STREAM) {
		OK(listen(first, 1));
		OK(listen(other, 1));
	}
	OK(close(first));
	OK(close(other));
}

static void chosen(void)
{
	int low, high, seen_different = 0, last = 0;
	CHECK_EQ(sscanf(test_read_file("/proc/sys/net/ipv4/ip_local_port_range"), "%d %d", &low, &high), 2);
	CHECK(low > 0 && low < high);
	for (int i = 0; i < 8; i++) {
		int fd = bound("127.0.0.1", 0, 0), port = inet_port(fd);
		CHECK(port >= low && port <= high);
		seen_different |= last != 0 && port != last;
		last = port;
		OK(close(fd));
	}
	CHECK(seen_different);

	/* A small range is used to its end. */
	test_write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40007");
	int fds[8], mask = 0;
	for (int i = 0; i < 8; i++) {
		fds[i] = (int)OK(bound("127.0.0.1", 0, 0));
		mask |= 1 << (inet_port(fds[i]) - 40000);
	}
	CHECK_EQ(mask, 255);
	CHECK_ERRNO(bound("127.0.0.1", 0, 0), EADDRINUSE);
	for (int i = 0; i < 8; i++)
		OK(close(fds[i]));
	char range[32];
	snprintf(range, sizeof range, "%d %d", low, high);
	test_write_file("/proc/sys/net/ipv4/ip_local_port_range", range);
}

/* A privileged port needs the privilege. */
static void privileged(void)
{
	CHILD({
		OK(setuid(1000));
		CHECK_ERRNO(bound("127.0.0.1", 80, 0), EACCES);
	});
	OK(close((int)OK(bound("127.0.0.1", 80, 0))));
}

/* The port is chosen at the connection, with the address that was asked for. */
static void late(void)
{
	int listener = inet_listener(4), fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(inet_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
	OK(inet_bind(fd, inet_at("127.0.0.7", 0)));
	CHECK_EQ(inet_port(fd), 0);
	OK(inet_connect(fd, inet_name(listener)));
	CHECK(inet_port(fd) != 0);
	CHECK_EQ(ntohl(inet_name(fd).sin_addr.s_addr), 0x7f000007);
	int other = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERRNO(inet_bind(other, inet_name(fd)), EADDRINUSE);
	OK(close(other));
	OK(close(fd));
	OK(close(listener));
}

int main(void)
{
	type = SOCK_STREAM;
	rules();
	chosen();
	privileged();
	type = SOCK_DGRAM;
	rules();
	chosen();
	privileged();
	late();
	return 0;
}
