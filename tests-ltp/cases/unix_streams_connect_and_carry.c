/* Stream sockets: bind, listen, connect, accept, both directions, half-close, names, errors. */
#include "nos_test.h"
#include <stddef.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static void serve(struct sockaddr *address, socklen_t length)
{
	int listener = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(bind(listener, address, length));
	struct sockaddr_un second = { .sun_family = AF_UNIX, .sun_path = "second" };
	CHECK_ERRNO(bind(listener, (struct sockaddr *)&second, sizeof second), EINVAL);
	CHECK_ERRNO(accept(listener, NULL, NULL), EINVAL);
	OK(listen(listener, 5));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char buffer[16];
		int client = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
		OK(connect(client, address, length));
		CHECK_ERRNO(connect(client, address, length), EISCONN);
		CHECK_EQ(write(client, "hello", 5), 5);
		OK(shutdown(client, SHUT_WR));
		CHECK_EQ(read(client, buffer, sizeof buffer), 3);
		CHECK(memcmp(buffer, "bye", 3) == 0);
		CHECK_EQ(read(client, buffer, sizeof buffer), 0);
		_exit(0);
	}
	struct sockaddr_un peer;
	socklen_t peer_length = sizeof peer;
	int connection = (int)OK(accept4(listener, (struct sockaddr *)&peer, &peer_length, SOCK_CLOEXEC));
	CHECK_EQ(peer_length, 2);
	CHECK_EQ(fcntl(connection, F_GETFD), FD_CLOEXEC);
	struct ucred who;
	socklen_t who_length = sizeof who;
	OK(getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &who_length));
	CHECK_EQ(who.pid, child);
	CHECK_EQ(who.uid, getuid());
	struct sockaddr_un own;
	socklen_t own_length = sizeof own;
	OK(getsockname(connection, (struct sockaddr *)&own, &own_length));
	CHECK(memcmp(&own, address, length < own_length ? length : own_length) == 0);
	char buffer[16];
	ssize_t total = 0, count;
	while ((count = OK(recv(connection, buffer + total, sizeof buffer - (size_t)total, 0))) > 0)
		total += count;
	CHECK_EQ(total, 5);
	CHECK_EQ(send(connection, "bye", 3, MSG_NOSIGNAL), 3);
	OK(close(connection));
	CHECK_EQ(test_wait(child), 0);
	OK(close(listener));
}

int main(void)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "socket" };
	serve((struct sockaddr *)&path, sizeof path);
	struct stat info;
	OK(stat("socket", &info));
	CHECK(S_ISSOCK(info.st_mode));
	CHECK_ERRNO(open("socket", O_RDWR), ENXIO);
	int client = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_ERRNO(connect(client, (struct sockaddr *)&path, sizeof path), ECONNREFUSED);
	CHECK_ERRNO(bind(client, (struct sockaddr *)&path, sizeof path), EADDRINUSE);
	OK(unlink("socket"));
	CHECK_ERRNO(connect(client, (struct sockaddr *)&path, sizeof path), ENOENT);

	struct sockaddr_un abstract = { .sun_family = AF_UNIX, .sun_path = "\0nos-test-name" };
	serve((struct sockaddr *)&abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 14));
	CHECK_ERRNO(connect(client, (struct sockaddr *)&abstract, offsetof(struct sockaddr_un, sun_path) + 14), ECONNREFUSED);

	char byte;
	CHECK_ERRNO(recv(client, &byte, 1, 0), EINVAL);
	CHECK_ERRNO(send(client, &byte, 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERRNO(listen(client, 1), EINVAL);
	CHECK_ERRNO(getpeername(client, (struct sockaddr *)&path, &(socklen_t){ sizeof path }), ENOTCONN);
	struct sockaddr_un wrong = { .sun_family = AF_INET };
	CHECK_ERRNO(connect(client, (struct sockaddr *)&wrong, sizeof wrong), EINVAL);
	CHECK_ERRNO(socket(AF_UNIX, 9, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 12, 0), EINVAL);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 7), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(200, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERRNO(accept(0, NULL, NULL), ENOTSOCK);
	return 0;
}
