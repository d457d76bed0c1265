/* Datagrams and sequenced packets: bounds, truncation, senders' names, full queues, dead peers. */
#include "nos_test.h"
#include <stddef.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	char buffer[64];
	struct sockaddr_un server_name = { .sun_family = AF_UNIX, .sun_path = "server" };
	struct sockaddr_un client_name = { .sun_family = AF_UNIX, .sun_path = "client" };
	int server = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	int client = (int)OK(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
	OK(bind(server, (struct sockaddr *)&server_name, sizeof server_name));
	OK(bind(client, (struct sockaddr *)&client_name, sizeof client_name));
	CHECK_ERRNO(send(client, "x", 1, 0), ENOTCONN);
	CHECK_EQ(sendto(client, "one", 3, 0, (struct sockaddr *)&server_name, sizeof server_name), 3);
	CHECK_EQ(sendto(client, "", 0, 0, (struct sockaddr *)&server_name, sizeof server_name), 0);
	CHECK_EQ(sendto(client, "three", 5, 0, (struct sockaddr *)&server_name, sizeof server_name), 5);
	struct sockaddr_un from;
	socklen_t from_length = sizeof from;
	CHECK_EQ(recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &from_length), 3);
	CHECK_STR(from.sun_path, "client");
	CHECK_EQ(from_length, offsetof(struct sockaddr_un, sun_path) + 7);
	CHECK_EQ(recv(server, buffer, sizeof buffer, 0), 0);
	CHECK_EQ(recv(server, buffer, 2, MSG_PEEK | MSG_TRUNC), 5);
	struct iovec vector = { buffer, 2 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	CHECK_EQ(recvmsg(server, &message, 0), 2);
	CHECK_EQ(message.msg_flags, MSG_TRUNC);
	CHECK_ERRNO(recv(server, buffer, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(accept(server, NULL, NULL), EOPNOTSUPP);
	CHECK_ERRNO(listen(server, 1), EOPNOTSUPP);

	/* A receiver that does not read makes its senders wait. */
	OK(connect(client, (struct sockaddr *)&server_name, sizeof server_name));
	int sent = 0;
	while (send(client, "m", 1, 0) == 1)
		sent++;
	int full = errno;
	CHECK(full == EAGAIN);
	CHECK(sent >= 1);
	struct pollfd poller = { .fd = client, .events = POLLOUT };
	CHECK_EQ(poll(&poller, 1, 0), 0);
	for (int i = 0; i < sent; i++)
		CHECK_EQ(recv(server, buffer, 1, 0), 1);
	CHECK_EQ(poll(&poller, 1, 1000), 1);
	static char huge[1 << 20];
	CHECK_ERRNO(send(client, huge, sizeof huge, 0), EMSGSIZE);
	OK(close(server));
	CHECK_ERRNO(send(client, "x", 1, 0), ECONNREFUSED);
	CHECK_ERRNO(send(client, "x", 1, 0), ENOTCONN);
	int stream = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_ERRNO(connect(stream, (struct sockaddr *)&client_name, sizeof client_name), EPROTOTYPE);

	int pair[2];
	OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	CHECK_EQ(send(pair[0], "first", 5, 0), 5);
	CHECK_EQ(send(pair[0], "second", 6, 0), 6);
	CHECK_EQ(recv(pair[1], buffer, 3, 0), 3);
	CHECK_EQ(recv(pair[1], buffer, sizeof buffer, 0), 6);
	OK(close(pair[0]));
	CHECK_EQ(recv(pair[1], buffer, sizeof buffer, 0), 0);
	CHECK_ERRNO(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	return 0;
}
