/* Ports of connections: shared between different destinations, not for the same one; the table in /proc. */
#include "nos_inet.h"

#define FIRST 41000
#define COUNT 4

static char *row(int port, int peer)
{
	char wanted[64], *at;
	snprintf(wanted, sizeof wanted, "0100007F:%04X ", port);
	char *table = test_read_file("/proc/net/tcp");
	for (at = strstr(table, wanted); at; at = strstr(at + 1, wanted)) {
		int remote;
		if (at[-2] == ':' && sscanf(at + 14, "%*8X:%4X", (unsigned *)&remote) == 1 && remote == peer)
			return at + 28;
	}
	return NULL;
}

int main(void)
{
	char range[64];
	strncpy(range, test_read_file("/proc/sys/net/ipv4/ip_local_port_range"), sizeof range - 1);
	int listener = inet_listener(16), other = inet_listener(16), fds[COUNT], mask = 0;
	test_write_file("/proc/sys/net/ipv4/ip_local_port_range", "41000 41003");
	for (int i = 0; i < COUNT; i++) {
		fds[i] = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
		OK(inet_connect(fds[i], inet_name(listener)));
		mask |= 1 << (inet_port(fds[i]) - FIRST);
	}
	CHECK_EQ(mask, (1 << COUNT) - 1);
	int fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERRNO(inet_connect(fd, inet_name(listener)), EADDRNOTAVAIL);
	OK(inet_connect(fd, inet_name(other)));
	CHECK(inet_port(fd) >= FIRST && inet_port(fd) < FIRST + COUNT);
	OK(close(fd));
	/* A port that connections share is not for bind(2), but one that was bound connects to many. */
	fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERRNO(inet_bind(fd, inet_at("127.0.0.1", FIRST)), EADDRINUSE);
	CHECK_ERRNO(inet_bind(fd, inet_at("0.0.0.0", 0)), EADDRINUSE);
	test_write_file("/proc/sys/net/ipv4/ip_local_port_range", range);

	/* Listener, connection and its other end. */
	char *listening = row(inet_port(listener), 0);
	CHECK(listening && strncmp(listening, "0A ", 3) == 0);
	char *connected = row(inet_port(fds[0]), inet_port(listener));
	CHECK(connected && strncmp(connected, "01 ", 3) == 0);
	int served = (int)OK(accept(listener, NULL, NULL)), peer = 0;
	struct sockaddr_in name;
	socklen_t length = sizeof name;
	OK(getpeername(served, (struct sockaddr *)&name, &length));
	peer = ntohs(name.sin_port);
	CHECK_EQ(send(served, "abc", 3, 0), 3);
	for (int i = 0; i < COUNT; i++)
		if (inet_port(fds[i]) == peer)
			inet_await(fds[i], POLLIN);
	connected = row(peer, inet_port(listener));
	CHECK(connected && strncmp(connected, "01 00000000:00000003 ", 21) == 0);
	/* Whose it is, and its file. */
	struct stat info;
	OK(fstat(served, &info));
	unsigned owner;
	unsigned long inode;
	CHECK(row(inet_port(listener), peer) != NULL);
	CHECK_EQ(sscanf(row(inet_port(listener), peer), "%*X %*X:%*X %*X:%*X %*X %u %*u %lu", &owner, &inode), 2);
	CHECK_EQ(owner, getuid());
	CHECK_EQ(inode, info.st_ino);

	return 0;
}
