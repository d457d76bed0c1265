/* Datagrams: who gets them, from whom they are, and what is told when nobody does. */
#include "nos_inet.h"

static int udp(void)
{
	return (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
}

static void errors(void)
{
	int fd = udp();
	char byte = 0;
	CHECK_ERRNO(send(fd, &byte, 1, 0), EDESTADDRREQ);
	struct sockaddr_in to = inet_at("127.0.0.1", 0);
	CHECK_ERRNO(sendto(fd, &byte, 1, 0, (struct sockaddr *)&to, sizeof to), EINVAL);
	to = inet_at("127.0.0.1", 9);
	CHECK_ERRNO(sendto(fd, &byte, 1, 0, (struct sockaddr *)&to, 8), EINVAL);
	to.sin_family = AF_UNIX;
	CHECK_ERRNO(sendto(fd, &byte, 1, 0, (struct sockaddr *)&to, sizeof to), EAFNOSUPPORT);
	CHECK_ERRNO(send(fd, &byte, 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
	CHECK_ERRNO(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(shutdown(fd, SHUT_RDWR), ENOTCONN);
	CHECK_ERRNO(inet_bind(fd, inet_at("192.0.2.1", 0)), EADDRNOTAVAIL);
	struct sockaddr_in name = inet_at("127.0.0.1", 0);
	name.sin_family = AF_UNSPEC;
	CHECK_ERRNO(inet_bind(fd, name), EAFNOSUPPORT);
	CHECK_ERRNO(bind(fd, (struct sockaddr *)&name, 8), EINVAL);
	socklen_t length = sizeof name;
	CHECK_ERRNO(getpeername(fd, (struct sockaddr *)&name, &length), ENOTCONN);
	CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, -1), EINVAL);
	CHECK_ERRNO(socketpair(AF_INET, SOCK_DGRAM, 0, (int[2]){ 0, 0 }), EOPNOTSUPP);
	/* It fails, and takes effect. */
	CHECK_EQ(inet_events(fd), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	OK(close(fd));
}

static void to_and_fro(void)
{
	int server = udp(), client = udp();
	OK(inet_bind(server, inet_at("0.0.0.0", 0)));
	CHECK_ERRNO(inet_bind(server, inet_at("0.0.0.0", 0)), EINVAL);
	int port = inet_port(server);
	CHECK(port >= 1024);
	struct sockaddr_in to = inet_at("127.0.0.5", port), from;
	CHECK_EQ(sendto(client, "first", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
	CHECK_EQ(sendto(client, "", 0, 0, (struct sockaddr *)&to, sizeof to), 0);
	CHECK(inet_port(client) != 0 && inet_name(client).sin_addr.s_addr == 0);
	CHECK_EQ(inet_events(server), POLLIN | POLLOUT);
	int bytes;
	OK(ioctl(server, FIONREAD, &bytes));
	CHECK_EQ(bytes, 5);
	char buffer[16];
	socklen_t length = sizeof from;
	CHECK_EQ(recvfrom(server, buffer, 3, MSG_PEEK, (struct sockaddr *)&from, &length), 3);
	CHECK_EQ(recvfrom(server, buffer, 3, MSG_PEEK | MSG_TRUNC, NULL, NULL), 5);
	struct iovec vector = { buffer, 3 };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
	CHECK_EQ(recvmsg(server, &header, 0), 3);
	CHECK_EQ(header.msg_flags, MSG_TRUNC);
	CHECK_EQ(length, sizeof from);
	CHECK_EQ(ntohs(from.sin_port), inet_port(client));
	CHECK_EQ(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(recv(server, buffer, sizeof buffer, 0), 0);
	CHECK_ERRNO(recv(server, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);

	/* A connected socket hears its peer only; one of the address itself goes before one of all. */
	OK(inet_connect(client, inet_at("127.0.0.1", port)));
	CHECK_EQ(ntohl(inet_name(client).sin_addr.s_addr), INADDR_LOOPBACK);
	int stranger = udp();
	struct sockaddr_in name = inet_name(client);
	CHECK_EQ(sendto(stranger, "x", 1, 0, (struct sockaddr *)&name, sizeof name), 1);
	CHECK_ERRNO(recv(client, buffer, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(sendto(server, "yes", 3, 0, (struct sockaddr *)&name, sizeof name), 3);
	CHECK_EQ(recv(client, buffer, sizeof buffer, 0), 3);
	OK(close(stranger));
	stranger = udp();
	OK(inet_set(stranger, SOL_SOCKET, SO_REUSEADDR, 1));
	CHECK_ERRNO(inet_bind(stranger, inet_at("127.0.0.1", port)), EADDRINUSE);
	OK(close(stranger));

	/* The association given up, the port that was not asked for goes with it. */
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	OK(connect(client, &none, sizeof none));
	CHECK_EQ(inet_port(client), 0);
	OK(close(server));
	OK(close(client));
}

static void nobody_there(void)
{
	int fd = udp(), gone = udp();
	OK(inet_bind(gone, inet_at("127.0.0.1", 0)));
	struct sockaddr_in to = inet_name(gone);
	OK(close(gone));
	CHECK_EQ(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	CHECK_EQ(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	OK(inet_connect(fd, to));
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	CHECK(inet_events(fd) & POLLERR);
	CHECK_ERRNO(send(fd, "x", 1, 0), ECONNREFUSED);
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	char byte;
	CHECK_ERRNO(recv(fd, &byte, 1, 0), ECONNREFUSED);
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_ERROR), 0);
	OK(shutdown(fd, SHUT_RD));
	CHECK_EQ(recv(fd, &byte, 1, 0), 0);
	CHECK_EQ(inet_events(fd), POLLIN | POLLOUT | POLLRDHUP);
	OK(shutdown(fd, SHUT_WR));
	CHECK_ERRNO(send(fd, "x", 1, 0), EPIPE);
	CHECK(inet_events(fd) & POLLHUP);
	OK(close(fd));
}

static void sizes(void)
{
	static char large[65536];
	int server = udp(), client = udp();
	OK(inet_bind(server, inet_at("127.0.0.1", 0)));
	OK(inet_connect(client, inet_name(server)));
	memset(large, 'a', sizeof large);
	CHECK_ERRNO(send(client, large, 65508, 0), EMSGSIZE);
	CHECK_ERRNO(send(client, large, 65536, 0), EMSGSIZE);
	CHECK_EQ(send(client, large, 65507, 0), 65507);
	memset(large, 0, sizeof large);
	CHECK_EQ(recv(server, large, sizeof large, 0), 65507);
	CHECK(large[0] == 'a' && large[65506] == 'a' && large[65507] == 0);
	CHECK_EQ(inet_get(server, SOL_SOCKET, SO_RCVBUF), 212992);

	/* What there is no room for is lost, without an error. */
	OK(inet_set(server, SOL_SOCKET, SO_RCVBUF, 8192));
	for (int i = 0; i < 100; i++)
		CHECK_EQ(send(client, &i, sizeof i, 0), sizeof i);
	int count = 0, number;
	while (recv(server, &number, sizeof number, MSG_DONTWAIT) == sizeof number)
		CHECK_EQ(number, count++);
	CHECK(count > 10 && count < 40);
	OK(close(server));
	OK(close(client));
}

int main(void)
{
	errors();
	to_and_fro();
	nobody_there();
	sizes();
	return 0;
}
