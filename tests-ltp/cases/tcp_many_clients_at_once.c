/* Many threads connect, talk, and leave in every way at once; nobody waits for ever, no byte is lost or invented. */
#include "nos_inet.h"
#include <pthread.h>

#define CLIENTS 8
#define ROUNDS 60

static struct sockaddr_in server;
static int listener;
static volatile int served;

static void *serve(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		char buffer[3000];
		ssize_t count;
		/* Echoes until the end, or until the other side has gone. */
		while ((count = recv(fd, buffer, sizeof buffer, 0)) > 0)
			if (send(fd, buffer, (size_t)count, MSG_NOSIGNAL) != count)
				break;
		__sync_fetch_and_add(&served, 1);
		OK(close(fd));
	}
}

static void *talk(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;
	for (int round = 0; round < ROUNDS; round++) {
		int fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
		OK(inet_connect(fd, server));
		unsigned char out[2000], in[2000];
		for (size_t i = 0; i < sizeof out; i++)
			out[i] = (unsigned char)(i * seed + (unsigned)round);
		size_t wanted = 1 + (size_t)rand_r(&seed) % sizeof out;
		CHECK_EQ(send(fd, out, wanted, 0), wanted);
		switch (rand_r(&seed) % 4) {
		case 0: /* In order. */
			OK(shutdown(fd, SHUT_WR));
			CHECK_EQ(recv(fd, in, sizeof in, MSG_WAITALL), wanted);
			CHECK(memcmp(in, out, wanted) == 0);
			break;
		case 1: /* The echo is left unread. */
			break;
		case 2: { /* At once. */
			struct linger at_once = { 1, 0 };
			OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
			break;
		}
		default: /* Some of it. */
			CHECK(recv(fd, in, 1, 0) == 1 && in[0] == out[0]);
		}
		OK(close(fd));
	}
	return NULL;
}

int main(void)
{
	pthread_t servers[3], clients[CLIENTS];
	listener = inet_listener(16);
	server = inet_name(listener);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&servers[i], NULL, serve, NULL), 0);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(pthread_create(&clients[i], NULL, talk, (void *)(uintptr_t)(i + 1)), 0);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(pthread_join(clients[i], NULL), 0);
	OK(shutdown(listener, SHUT_RDWR));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(servers[i], NULL), 0);
	CHECK_EQ(served, CLIENTS * ROUNDS);
	return 0;
}
