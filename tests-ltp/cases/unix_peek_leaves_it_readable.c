/* What one thread looks at with MSG_PEEK, or reads in part, stays readable for others at any moment. */
#include "nos_test.h"
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

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

static void check(int type, void *(*work)(void *))
{
	pthread_t thread;
	OK(socketpair(AF_UNIX, type, 0, ends));
	CHECK_EQ(OK(write(ends[1], "four", 4)), 4);
	over = 0;
	CHECK_EQ(pthread_create(&thread, NULL, work, NULL), 0);
	struct pollfd poll_fd = { .fd = ends[0], .events = POLLIN };
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(OK(poll(&poll_fd, 1, 0)), 1);
		CHECK_EQ(poll_fd.revents, POLLIN);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	OK(close(ends[0]));
	OK(close(ends[1]));
}

int main(void)
{
	check(SOCK_STREAM, peek);
	check(SOCK_DGRAM, peek);
	check(SOCK_SEQPACKET, peek);
	check(SOCK_STREAM, read_in_part);
	return 0;
}
