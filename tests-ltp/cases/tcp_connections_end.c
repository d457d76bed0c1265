/* TCP: half-closed connections, resets, and what is told of them. */
#include "nos_inet.h"
#include <netinet/tcp.h>

static int state(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	return info.tcpi_state;
}

static void half_closed(void)
{
	int fds[2];
	char buffer[8];
	inet_pair(fds);
	CHECK_EQ(state(fds[0]), TCP_ESTABLISHED);
	CHECK_EQ(send(fds[0], "bye", 3, 0), 3);
	OK(shutdown(fds[0], SHUT_WR));
	CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(inet_await(fds[1], POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP);
	/* Linux waits a little with the acknowledgement. */
	CHECK(state(fds[0]) == TCP_FIN_WAIT2 || state(fds[0]) == TCP_FIN_WAIT1);
	CHECK_EQ(state(fds[1]), TCP_CLOSE_WAIT);
	CHECK_EQ(recv(fds[1], buffer, sizeof buffer, 0), 3);
	CHECK_EQ(recv(fds[1], buffer, sizeof buffer, 0), 0);
	CHECK_EQ(send(fds[1], "still", 5, 0), 5);
	CHECK_EQ(recv(fds[0], buffer, sizeof buffer, 0), 5);
	OK(shutdown(fds[1], SHUT_WR));
	CHECK_EQ(recv(fds[0], buffer, sizeof buffer, 0), 0);
	CHECK_EQ(inet_await(fds[1], POLLHUP) & (POLLIN | POLLHUP | POLLERR), POLLIN | POLLHUP);
	CHECK_EQ(state(fds[0]), TCP_CLOSE);
	CHECK_EQ(state(fds[1]), TCP_CLOSE);
	CHECK_ERRNO(shutdown(fds[1], SHUT_WR), ENOTCONN);
	CHECK_ERRNO(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	OK(close(fds[0]));
	OK(close(fds[1]));
}

/* Bytes that nobody read are told of by a reset. */
static void unread(void)
{
	int fds[2];
	char byte;
	inet_pair(fds);
	CHECK_EQ(send(fds[0], "lost", 4, 0), 4);
	CHECK_EQ(send(fds[1], "kept", 4, 0), 4);
	inet_await(fds[1], POLLIN);
	OK(close(fds[1]));
	CHECK(inet_await(fds[0], POLLERR) & POLLHUP);
	CHECK_EQ(recv(fds[0], &byte, 1, 0), 1);
	CHECK_EQ(byte, 'k');
	CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), ECONNRESET);
	CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	OK(close(fds[0]));

	inet_pair(fds);
	struct linger at_once = { 1, 0 };
	OK(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
	OK(close(fds[1]));
	inet_await(fds[0], POLLERR);
	CHECK_EQ(inet_get(fds[0], SOL_SOCKET, SO_ERROR), ECONNRESET);
	CHECK_EQ(recv(fds[0], &byte, 1, 0), 0);
	CHECK_EQ(state(fds[0]), TCP_CLOSE);
	OK(close(fds[0]));
}

static volatile int pipes;

static void broken(int signal)
{
	(void)signal;
	pipes++;
}

/* The first send to a closed end still goes out; the next one fails. */
static void to_closed(void)
{
	int fds[2];
	char byte;
	signal(SIGPIPE, broken);
	inet_pair(fds);
	OK(close(fds[1]));
	inet_await(fds[0], POLLRDHUP);
	CHECK_EQ(send(fds[0], "x", 1, 0), 1);
	CHECK(inet_await(fds[0], POLLHUP) & POLLERR);
	CHECK_EQ(recv(fds[0], &byte, 1, 0), 0);
	CHECK_EQ(pipes, 0);
	CHECK_ERRNO(send(fds[0], "x", 1, 0), EPIPE);
	CHECK_EQ(pipes, 1);
	CHECK_ERRNO(write(fds[0], "x", 1), EPIPE);
	CHECK_EQ(pipes, 2);
	CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(pipes, 2);
	OK(close(fds[0]));
}

static void own_side(void)
{
	int fds[2];
	char byte;
	inet_pair(fds);
	OK(shutdown(fds[0], SHUT_RD));
	CHECK_EQ(recv(fds[0], &byte, 1, 0), 0);
	CHECK_EQ(send(fds[1], "x", 1, 0), 1);
	inet_await(fds[0], POLLIN);
	CHECK_EQ(recv(fds[0], &byte, 1, 0), 1);
	CHECK_EQ(recv(fds[0], &byte, 1, 0), 0);
	CHECK_ERRNO(shutdown(fds[0], 7), EINVAL);

	/* The association given up is a reset, and the socket can connect again. */
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	OK(connect(fds[0], &none, sizeof none));
	CHECK(inet_await(fds[1], POLLERR) & POLLHUP);
	CHECK_ERRNO(recv(fds[1], &byte, 1, 0), ECONNRESET);
	int listener = inet_listener(1);
	OK(inet_connect(fds[0], inet_name(listener)));
	CHECK_EQ(state(fds[0]), TCP_ESTABLISHED);
	OK(close(fds[0]));
	OK(close(fds[1]));
	OK(close(listener));
}

/* Who closes first keeps the port for a while. */
static void time_wait(void)
{
	int listener = inet_listener(1), client = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in name = inet_name(listener);
	OK(inet_connect(client, name));
	int served = (int)OK(accept(listener, NULL, NULL));
	OK(close(listener));
	OK(close(served));
	char byte;
	CHECK_EQ(recv(client, &byte, 1, 0), 0);
	OK(close(client));
	int again = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERRNO(inet_bind(again, name), EADDRINUSE);
	OK(close(again));
}

int main(void)
{
	half_closed();
	unread();
	to_closed();
	own_side();
	time_wait();
	return 0;
}
