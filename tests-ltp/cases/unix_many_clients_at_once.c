/* A server with more clients than its backlog, each exchanging messages; nothing is lost or mixed up. */
#include "nos_test.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CLIENTS 12
#define ROUNDS 50

int main(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "server" };
	int listener = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(bind(listener, (struct sockaddr *)&name, sizeof name));
	OK(listen(listener, 2));
	pid_t clients[CLIENTS];
	for (int c = 0; c < CLIENTS; c++) {
		clients[c] = (pid_t)OK(fork());
		if (clients[c] == 0) {
			int fd = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
			OK(connect(fd, (struct sockaddr *)&name, sizeof name));
			for (int i = 0; i < ROUNDS; i++) {
				int out[2] = { c, i }, in[2];
				CHECK_EQ(write(fd, out, sizeof out), sizeof out);
				CHECK_EQ(recv(fd, in, sizeof in, MSG_WAITALL), sizeof in);
				CHECK(in[0] == c && in[1] == i + 1);
			}
			_exit(0);
		}
	}
	struct pollfd set[CLIENTS + 1] = { { .fd = listener, .events = POLLIN } };
	int used = 1, finished = 0;
	while (finished < CLIENTS) {
		OK(poll(set, (nfds_t)used, 15000));
		for (int i = used - 1; i > 0; i--) {
			if (set[i].revents == 0)
				continue;
			int message[2];
			ssize_t size = OK(recv(set[i].fd, message, sizeof message, MSG_WAITALL));
			if (size == 0) {
				OK(close(set[i].fd));
				set[i] = set[--used];
				finished++;
				continue;
			}
			CHECK_EQ(size, sizeof message);
			message[1]++;
			CHECK_EQ(write(set[i].fd, message, sizeof message), sizeof message);
		}
		if (set[0].revents & POLLIN) {
			set[used].fd = (int)OK(accept(listener, NULL, NULL));
			set[used].events = POLLIN;
			set[used++].revents = 0;
		}
	}
	for (int c = 0; c < CLIENTS; c++)
		CHECK_EQ(test_wait(clients[c]), 0);
	return 0;
}
