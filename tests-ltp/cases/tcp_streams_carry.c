/* TCP: many bytes both ways, waiting for all, looking ahead, discarding, flow control, files and pipes. */
#include "nos_inet.h"
#include <linux/sockios.h>
#include <sys/sendfile.h>

#define TOTAL (3 << 20)

static unsigned char pattern(size_t at)
{
	return (unsigned char)(at * 7 + (at >> 12));
}

static unsigned char all[TOTAL];

static void write_pattern(int fd, size_t chunk)
{
	for (size_t sent = 0; sent < TOTAL;) {
		size_t wanted = chunk < TOTAL - sent ? chunk : TOTAL - sent;
		CHECK_EQ(send(fd, all + sent, wanted, 0), wanted);
		sent += wanted;
	}
}

static void read_pattern(int fd, size_t chunk)
{
	static unsigned char buffer[100000];
	for (size_t received = 0; received < TOTAL;) {
		ssize_t count = OK(recv(fd, buffer, chunk, 0));
		CHECK(count > 0);
		CHECK(memcmp(buffer, all + received, (size_t)count) == 0);
		received += (size_t)count;
	}
}

static void bulk(size_t out, size_t in)
{
	int fds[2];
	inet_pair(fds);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(close(fds[0]));
		write_pattern(fds[1], out);
		read_pattern(fds[1], in);
		_exit(0);
	}
	OK(close(fds[1]));
	read_pattern(fds[0], in);
	write_pattern(fds[0], out);
	char byte;
	CHECK_EQ(recv(fds[0], &byte, 1, 0), 0);
	CHECK_EQ(test_wait(child), 0);
	OK(close(fds[0]));
}

static void flags(void)
{
	int fds[2];
	char buffer[16];
	inet_pair(fds);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(send(fds[1], "abcd", 4, 0), 4);
			usleep(20000);
		}
		_exit(0);
	}
	CHECK_EQ(recv(fds[0], buffer, 16, MSG_WAITALL), 16);
	CHECK(memcmp(buffer, "abcdabcdabcdabcd", 16) == 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(send(fds[1], "123456", 6, 0), 6);
	inet_await(fds[0], POLLIN);
	CHECK_EQ(recv(fds[0], buffer, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(fds[0], buffer, 16, MSG_PEEK), 6);
	CHECK(memcmp(buffer, "123456", 6) == 0);
	CHECK_EQ(recv(fds[0], NULL, 2, MSG_TRUNC), 2);
	CHECK_EQ(recv(fds[0], buffer, 1, 0), 1);
	CHECK_EQ(buffer[0], '3');
	int bytes;
	OK(ioctl(fds[0], FIONREAD, &bytes));
	CHECK_EQ(bytes, 3);
	OK(ioctl(fds[0], SIOCATMARK, &bytes));
	CHECK_EQ(bytes, 0);
	CHECK_EQ(recv(fds[0], buffer, 16, 0), 3);
	CHECK_ERRNO(recv(fds[0], buffer, 16, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(recv(fds[0], buffer, 1, MSG_OOB), EINVAL);
	CHECK_ERRNO(recv(fds[0], buffer, 0, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(read(fds[0], buffer, 0), 0);
	CHECK_EQ(send(fds[0], buffer, 0, 0), 0);
	CHECK_ERRNO(send(fds[0], UNMAPPED_ADDRESS, 4, 0), EFAULT);
	struct timeval short_time = { 0, 50000 };
	OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time));
	int64_t start = test_now();
	CHECK_ERRNO(recv(fds[0], buffer, 1, 0), EAGAIN);
	CHECK(test_now() - start >= 40000);
	/* Fewer bytes than the low-water mark do not end a call, nor make a socket readable. */
	OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0 }, sizeof short_time));
	OK(inet_set(fds[0], SOL_SOCKET, SO_RCVLOWAT, 4));
	CHECK_EQ(send(fds[1], "abc", 3, 0), 3);
	usleep(20000);
	CHECK_EQ(inet_events(fds[0]) & POLLIN, 0);
	CHECK_EQ(send(fds[1], "d", 1, 0), 1);
	CHECK(inet_await(fds[0], POLLIN) & POLLIN);
	CHECK_EQ(recv(fds[0], buffer, 16, 0), 4);
	OK(close(fds[0]));
	OK(close(fds[1]));
}

/* A sender is held up by a reader that does not read. */
static void flow(void)
{
	int fds[2];
	static char block[65536];
	inet_pair(fds);
	OK(inet_set(fds[0], SOL_SOCKET, SO_SNDBUF, 100000));
	CHECK_EQ(inet_get(fds[0], SOL_SOCKET, SO_SNDBUF), 200000);
	OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	ssize_t count;
	size_t sent = 0;
	while ((count = send(fds[0], block, sizeof block, 0)) > 0)
		sent += (size_t)count;
	CHECK_ERRNO(send(fds[0], block, sizeof block, 0), EAGAIN);
	CHECK(sent >= 65536 && sent < 8 << 20);
	CHECK_EQ(inet_events(fds[0]), 0);
	int unsent, unread;
	OK(ioctl(fds[0], SIOCOUTQ, &unsent));
	OK(ioctl(fds[1], SIOCINQ, &unread));
	CHECK(unsent > 0 && unread > 0);
	size_t received = 0;
	while ((count = recv(fds[1], block, sizeof block, MSG_DONTWAIT)) > 0 || inet_events(fds[0]) == 0)
		if (count > 0)
			received += (size_t)count;
	while (received < sent)
		received += (size_t)OK(recv(fds[1], block, sizeof block, 0));
	CHECK_EQ(received, sent);
	CHECK_EQ(inet_await(fds[0], POLLOUT), POLLOUT);
	OK(close(fds[0]));
	OK(close(fds[1]));
}

static void files(void)
{
	int fds[2], ends[2];
	int file = (int)OK(open("file", O_CREAT | O_RDWR, 0600));
	for (size_t i = 0; i < 20000; i++) {
		unsigned char byte = pattern(i);
		CHECK_EQ(write(file, &byte, 1), 1);
	}
	inet_pair(fds);
	off_t offset = 100;
	CHECK_EQ(sendfile(fds[0], file, &offset, 15000), 15000);
	CHECK_EQ(offset, 15100);
	unsigned char buffer[20000];
	CHECK_EQ(recv(fds[1], buffer, 15000, MSG_WAITALL), 15000);
	for (size_t i = 0; i < 15000; i++)
		CHECK_EQ(buffer[i], pattern(100 + i));

	/* Through a pipe, in and out. */
	OK(pipe(ends));
	CHECK_EQ(pwrite(file, "SPLICED!", 8, 0), 8);
	offset = 0;
	CHECK_EQ(splice(file, &offset, ends[1], NULL, 5000, 0), 5000);
	CHECK_EQ(splice(ends[0], NULL, fds[0], NULL, 5000, 0), 5000);
	inet_await(fds[1], POLLIN);
	size_t moved = 0;
	while (moved < 5000) {
		ssize_t count = OK(splice(fds[1], NULL, ends[1], NULL, 5000 - moved, 0));
		CHECK(count > 0);
		CHECK_EQ(read(ends[0], buffer + moved, (size_t)count), count);
		moved += (size_t)count;
	}
	CHECK(memcmp(buffer, "SPLICED!", 8) == 0);
	for (size_t i = 8; i < 5000; i++)
		CHECK_EQ(buffer[i], pattern(i));
	OK(close(file));
	OK(close(fds[0]));
	OK(close(fds[1]));
}

int main(void)
{
	for (size_t i = 0; i < TOTAL; i++)
		all[i] = pattern(i);
	bulk(100000, 100000);
	bulk(1000, 64000);
	bulk(50000, 777);
	flags();
	flow();
	files();
	return 0;
}
