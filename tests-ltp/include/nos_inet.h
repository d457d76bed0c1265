/*
 * Internet sockets on the loopback device.
 */
#ifndef NOS_INET_H
#define NOS_INET_H

#include "nos_test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* An address of the loopback network, as "127.0.0.1", or any other. */
static inline struct sockaddr_in inet_at(const char *address, int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	CHECK(inet_aton(address, &at.sin_addr));
	return at;
}

static inline int inet_bind(int fd, struct sockaddr_in at)
{
	return bind(fd, (struct sockaddr *)&at, sizeof at);
}

static inline int inet_connect(int fd, struct sockaddr_in to)
{
	return connect(fd, (struct sockaddr *)&to, sizeof to);
}

/* What a socket is bound to. */
static inline struct sockaddr_in inet_name(int fd)
{
	struct sockaddr_in name;
	socklen_t length = sizeof name;
	OK(getsockname(fd, (struct sockaddr *)&name, &length));
	CHECK_EQ(length, sizeof name);
	CHECK_EQ(name.sin_family, AF_INET);
	return name;
}

static inline int inet_port(int fd)
{
	return ntohs(inet_name(fd).sin_port);
}

static inline int inet_get(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;
	OK(getsockopt(fd, level, name, &value, &length));
	return value;
}

static inline int inet_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value);
}

/* A socket that listens at a free port of 127.0.0.1. */
static inline int inet_listener(int backlog)
{
	int fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(inet_bind(fd, inet_at("127.0.0.1", 0)));
	OK(listen(fd, backlog));
	return fd;
}

/* A connection: both its ends. */
static inline void inet_pair(int fds[2])
{
	int listener = inet_listener(1);
	fds[0] = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(inet_connect(fds[0], inet_name(listener)));
	fds[1] = (int)OK(accept(listener, NULL, NULL));
	OK(close(listener));
}

/* The events of a file now. */
static inline int inet_events(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
	OK(poll(&entry, 1, 0));
	return entry.revents;
}

/* Waits until one of the events is there (for what takes another path's time on Linux), and says which are. */
static inline int inet_await(int fd, int events)
{
	struct pollfd entry = { .fd = fd, .events = (short)events };
	CHECK_EQ(poll(&entry, 1, 5000), 1);
	return inet_events(fd);
}

#endif
