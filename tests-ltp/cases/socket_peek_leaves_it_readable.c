/* What one thread looks at with MSG_PEEK, or reads in part, stays readable for others at any moment. */
#include "nos_inet.h"
#include <pthread.h>

#define ROUNDS 20000

static int ends[2];
static int over;

static void *peek(void *unused)
{
	char bytes[8];
	(void)unused;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		CHECK_EQ(OK(recv(ends[0], bytes, sizeof bytes, MSG_PEEK)), 4);
	return NULL;
}

/* Takes a byte of what is there, and adds one: three at least are there all of the time. */
static void *read_in_part(void *unused)
{
	char byte;
	(void)unused;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		CHECK_EQ(OK(read(ends[0], &byte, 1)), 1);
		CHECK_EQ(OK(write(ends[1], &byte, 1)), 1);
	}
	return NULL;
}

/* With a connected pair in `ends`. */
static void check(void *(*work)(void *))
{
	pthread_t thread;
	CHECK_EQ(OK(write(ends[1], "four", 4)), 4);
	struct pollfd poll_fd = { .fd = ends[0], .events = POLLIN };
	/* Over a network they may take a moment. */
	CHECK_EQ(OK(poll(&poll_fd, 1, 10000)), 1);
	over = 0;
	CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(OK(poll(&poll_fd, 1, 0)), 1);
		CHECK_EQ(poll_fd.revents, POLLIN);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	OK(close(ends[0]));
	OK(close(ends[1]));
}

static void check_local(int type, void *(*work)(void *))
{
	OK(socketpair(AF_UNIX, type, 0, ends));
	check(work);
}

/* Two sockets of the Internet, one bound and the other connected to it. */
static void check_datagrams(void)
{
	ends[0] = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
	ends[1] = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
	OK(inet_bind(ends[0], inet_at("127.0.0.1", 0)));
	OK(inet_connect(ends[1], inet_name(ends[0])));
	check(peek);
}

static void check_streams(void)
{
	inet_pair(ends);
	check(peek);
}

int main(void)
{
	check_local(SOCK_STREAM, peek);
	check_local(SOCK_DGRAM, peek);
	check_local(SOCK_SEQPACKET, peek);
	check_local(SOCK_STREAM, read_in_part);
	check_datagrams();
	check_streams();
	return 0;
}
