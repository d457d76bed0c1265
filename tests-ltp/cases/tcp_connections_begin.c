/* TCP: connect, listen, accept; what happens at once, what later, and what not. */
#include "nos_inet.h"
#include <netinet/tcp.h>

static int tcp(int flags)
{
	return (int)OK(socket(AF_INET, SOCK_STREAM | flags, 0));
}

static void errors(void)
{
	int fd = tcp(0);
	char byte = 0;
	CHECK_ERRNO(recv(fd, &byte, 1, 0), ENOTCONN);
	CHECK_ERRNO(send(fd, &byte, 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
	CHECK_ERRNO(shutdown(fd, SHUT_WR), ENOTCONN);
	CHECK_EQ(inet_events(fd), POLLOUT | POLLHUP);
	struct sockaddr_in name;
	socklen_t length = sizeof name;
	CHECK_ERRNO(getpeername(fd, (struct sockaddr *)&name, &length), ENOTCONN);
	name = inet_at("127.0.0.1", 9);
	CHECK_ERRNO(connect(fd, (struct sockaddr *)&name, 8), EINVAL);
	name.sin_family = AF_UNIX;
	CHECK_ERRNO(inet_connect(fd, name), EAFNOSUPPORT);
	CHECK_ERRNO(inet_connect(fd, inet_at("10.1.2.3", 9)), ENETUNREACH);
	CHECK_ERRNO(inet_bind(fd, inet_at("10.1.2.3", 9)), EADDRNOTAVAIL);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
	OK(inet_bind(fd, inet_at("127.0.0.1", 0)));
	CHECK_ERRNO(inet_bind(fd, inet_at("127.0.0.1", 0)), EINVAL);
	OK(close(fd));
}

static void refused(void)
{
	int gone = inet_listener(1), fd = tcp(0);
	struct sockaddr_in to = inet_name(gone);
	OK(close(gone));
	CHECK_ERRNO(inet_connect(fd, to), ECONNREFUSED);
	CHECK_ERRNO(inet_connect(fd, to), ECONNREFUSED);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_ERROR), 0);
	OK(close(fd));
	fd = tcp(SOCK_NONBLOCK);
	CHECK_ERRNO(inet_connect(fd, to), EINPROGRESS);
	CHECK(inet_await(fd, POLLOUT) & POLLERR);
	CHECK_EQ(inet_get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_ERRNO(inet_connect(fd, to), ECONNABORTED);
	CHECK_ERRNO(inet_connect(fd, to), EINPROGRESS);
	inet_await(fd, POLLOUT);
	CHECK_ERRNO(inet_connect(fd, to), ECONNREFUSED);

	/* The socket is as good as new. */
	int listener = inet_listener(1);
	CHECK_ERRNO(inet_connect(fd, inet_name(listener)), EINPROGRESS);
	CHECK_EQ(inet_await(fd, POLLOUT), POLLOUT);
	OK(close(fd));
	OK(close(listener));
}

static void accepted(void)
{
	int listener = tcp(SOCK_NONBLOCK);
	/* One that was not bound gets a port. */
	OK(listen(listener, 5));
	CHECK(inet_port(listener) >= 1024);
	CHECK_EQ(inet_get(listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
	CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
	CHECK_ERRNO(inet_connect(listener, inet_name(listener)), EISCONN);
	CHECK_EQ(inet_events(listener), 0);
	OK(inet_set(listener, SOL_SOCKET, SO_KEEPALIVE, 1));
	OK(inet_set(listener, IPPROTO_TCP, TCP_NODELAY, 1));

	struct sockaddr_in to = inet_at("127.0.0.1", inet_port(listener)), name, peer;
	int client = tcp(SOCK_NONBLOCK);
	CHECK_ERRNO(inet_connect(client, to), EINPROGRESS);
	CHECK_EQ(inet_await(client, POLLOUT), POLLOUT);
	OK(inet_connect(client, to));
	CHECK_ERRNO(inet_connect(client, to), EISCONN);
	CHECK_ERRNO(listen(client, 1), EINVAL);
	CHECK_EQ(inet_await(listener, POLLIN), POLLIN);
	CHECK_EQ(send(client, "early", 5, 0), 5);
	socklen_t length = sizeof peer;
	int served = (int)OK(accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC));
	CHECK_EQ(fcntl(served, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(served, F_GETFL) & O_NONBLOCK, 0);
	name = inet_name(client);
	CHECK(memcmp(&name, &peer, sizeof name) == 0);
	CHECK_EQ(ntohl(name.sin_addr.s_addr), INADDR_LOOPBACK);
	name = inet_name(served);
	CHECK_EQ(ntohs(name.sin_port), inet_port(listener));
	length = sizeof peer;
	OK(getpeername(client, (struct sockaddr *)&peer, &length));
	CHECK(memcmp(&name, &peer, sizeof name) == 0);
	/* What was set at the listener holds for its connections. */
	CHECK_EQ(inet_get(served, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(inet_get(served, IPPROTO_TCP, TCP_NODELAY), 1);
	char buffer[8];
	CHECK_EQ(recv(served, buffer, sizeof buffer, 0), 5);
	OK(close(listener));
	CHECK_EQ(send(served, "late", 4, 0), 4);
	CHECK_EQ(inet_await(client, POLLIN), POLLIN | POLLOUT);
	CHECK_EQ(recv(client, buffer, sizeof buffer, 0), 4);
	OK(close(client));
	OK(close(served));
}

/* One more than the backlog is let in; who comes later waits for a place. */
static void queue(void)
{
	int listener = inet_listener(1), clients[3];
	struct sockaddr_in to = inet_name(listener);
	for (int i = 0; i < 3; i++) {
		clients[i] = tcp(SOCK_NONBLOCK);
		CHECK_ERRNO(inet_connect(clients[i], to), EINPROGRESS);
	}
	inet_await(clients[0], POLLOUT);
	inet_await(clients[1], POLLOUT);
	struct pollfd third = { .fd = clients[2], .events = POLLOUT | POLLIN };
	CHECK_EQ(poll(&third, 1, 100), 0);
	CHECK_ERRNO(inet_connect(clients[2], to), EALREADY);
	CHECK_ERRNO(send(clients[2], "x", 1, 0), EAGAIN);
	int served = (int)OK(accept(listener, NULL, NULL));
	CHECK_EQ(poll(&third, 1, 10000), 1);
	CHECK_EQ(third.revents, POLLOUT);
	OK(close(served));
	/* Those that nobody accepted are reset. */
	OK(close(listener));
	CHECK(inet_await(clients[1], POLLIN) & POLLERR);
	char byte;
	CHECK_ERRNO(recv(clients[1], &byte, 1, 0), ECONNRESET);
	CHECK_EQ(recv(clients[1], &byte, 1, 0), 0);
	for (int i = 0; i < 3; i++)
		OK(close(clients[i]));
}

/* A blocking accept and a blocking connect meet. */
static void blocking(void)
{
	int listener = inet_listener(0);
	struct sockaddr_in to = inet_name(listener);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		for (int i = 0; i < 10; i++) {
			int fd = tcp(0);
			OK(inet_connect(fd, to));
			CHECK_EQ(write(fd, &i, sizeof i), sizeof i);
			OK(close(fd));
		}
		_exit(0);
	}
	for (int i = 0; i < 10; i++) {
		int fd = (int)OK(accept(listener, NULL, NULL)), number;
		CHECK_EQ(read(fd, &number, sizeof number), sizeof number);
		CHECK_EQ(number, i);
		CHECK_EQ(read(fd, &number, sizeof number), 0);
		OK(close(fd));
	}
	CHECK_EQ(test_wait(child), 0);
	OK(close(listener));
}

int main(void)
{
	errors();
	refused();
	accepted();
	queue();
	blocking();
	return 0;
}
