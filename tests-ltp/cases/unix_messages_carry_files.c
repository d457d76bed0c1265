/* SCM_RIGHTS and SCM_CREDENTIALS. */
#include "nos_test.h"
#include <sys/socket.h>

static ssize_t send_file(int socket, int fd, const char *text)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { (void *)text, strlen(text) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	return sendmsg(socket, &message, 0);
}

int main(void)
{
	int pair[2];
	char buffer[64];
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	int file = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(file, "content", 7), 7);
	CHECK_EQ(write(pair[0], "plain", 5), 5);
	CHECK_EQ(send_file(pair[0], file, "with"), 4);
	CHECK_EQ(write(pair[0], "after", 5), 5);
	OK(close(file));
	CHECK_ERRNO(send_file(pair[0], 999, "x"), EBADF);

	char control[CMSG_SPACE(sizeof(int)) + 64];
	struct iovec vector = { buffer, sizeof buffer };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t total = OK(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
	if (total == 5) {
		message.msg_controllen = sizeof control;
		total += OK(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
	}
	CHECK_EQ(total, 9);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	CHECK(head != NULL && head->cmsg_type == SCM_RIGHTS);
	CHECK_EQ(head->cmsg_len, CMSG_LEN(sizeof(int)));
	int received;
	memcpy(&received, CMSG_DATA(head), sizeof received);
	CHECK_EQ(fcntl(received, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(pread(received, buffer, sizeof buffer, 0), 7);
	CHECK(memcmp(buffer, "content", 7) == 0);
	OK(close(received));
	CHECK_EQ(recv(pair[1], buffer, sizeof buffer, 0), 5);

	/* No room for the descriptor: it is closed and the flag set. */
	int null = (int)OK(open("/dev/null", O_RDONLY));
	CHECK_EQ(send_file(pair[0], null, "t"), 1);
	message.msg_control = NULL;
	message.msg_controllen = 0;
	CHECK_EQ(recvmsg(pair[1], &message, 0), 1);
	CHECK_EQ(message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);

	int on = 1;
	OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	CHECK_EQ(write(pair[0], "who", 3), 3);
	message.msg_control = control;
	message.msg_controllen = sizeof control;
	CHECK_EQ(recvmsg(pair[1], &message, 0), 3);
	head = CMSG_FIRSTHDR(&message);
	CHECK(head != NULL && head->cmsg_type == SCM_CREDENTIALS);
	struct ucred who;
	memcpy(&who, CMSG_DATA(head), sizeof who);
	CHECK_EQ(who.pid, getpid());
	CHECK_EQ(who.uid, getuid());
	CHECK_EQ(who.gid, getgid());
	return 0;
}
