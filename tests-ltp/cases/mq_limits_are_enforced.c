/* The limits in /proc/sys/fs/mqueue and RLIMIT_MSGQUEUE. */
#include "nos_mq.h"
#include <sys/resource.h>

#define LIMIT(name) "/proc/sys/fs/mqueue/" name

static mqd_t make(const char *name, long messages, long size)
{
	struct mq_attr attributes = { .mq_maxmsg = messages, .mq_msgsize = size };
	return mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
}

static void check_limits(void)
{
	CHECK_STR(test_read_file(LIMIT("queues_max")), "256\n");
	CHECK_STR(test_read_file(LIMIT("msg_max")), "10\n");
	CHECK_STR(test_read_file(LIMIT("msgsize_max")), "8192\n");
	CHECK_STR(test_read_file(LIMIT("msg_default")), "10\n");
	CHECK_STR(test_read_file(LIMIT("msgsize_default")), "8192\n");
	int fd = (int)OK(open(LIMIT("msgsize_max"), O_WRONLY));
	CHECK_ERRNO(write(fd, "127\n", 4), EINVAL);
	fd = (int)OK(open(LIMIT("msg_max"), O_WRONLY));
	CHECK_ERRNO(write(fd, "0\n", 2), EINVAL);
	CHECK_ERRNO(write(fd, "65537\n", 6), EINVAL);
	test_write_file(LIMIT("msg_default"), "7\n");
	struct mq_attr attributes;
	mqd_t queue = (mqd_t)OK(mq_open("/limits", O_CREAT | O_RDWR, 0600, NULL));
	OK(mq_getattr(queue, &attributes));
	CHECK_EQ(attributes.mq_maxmsg, 7);
	CHECK_EQ(attributes.mq_msgsize, 8192);
	OK(mq_unlink("/limits"));
	/* Root may pass the limits, but not all. */
	OK(close((int)OK(make("/limits", 11, 8193))));
	OK(mq_unlink("/limits"));
	CHECK_ERRNO(make("/limits", 65537, 1), EINVAL);
	CHECK_ERRNO(make("/limits", 1, (16 << 20) + 1), EINVAL);
	CHECK_ERRNO(make("/limits", 0, 1), EINVAL);
	CHECK_ERRNO(make("/limits", 1, -1), EINVAL);
	CHECK_ERRNO(make("/limits", 65536, 16 << 20), EMFILE);
	CHILD({
		OK(setgid(1001));
		OK(setuid(1001));
		CHECK_ERRNO(make("/limits", 11, 10), EINVAL);
		CHECK_ERRNO(make("/limits", 10, 8193), EINVAL);
		/* A message costs its longest text and 48 bytes, a priority that may be used 48 more. */
		struct rlimit limit = { 10 * (8192 + 96), 819200 };
		OK(setrlimit(RLIMIT_MSGQUEUE, &limit));
		mqd_t full = (mqd_t)OK(make("/limits", 10, 8192));
		CHECK_ERRNO(make("/more", 1, 1), EMFILE);
		OK(mq_unlink("/limits"));
		CHECK_ERRNO(make("/more", 1, 1), EMFILE);
		OK(close(full));
		OK(make("/more", 1, 1));
		OK(mq_unlink("/more"));
		CHECK_ERRNO(make("/limits", 10, 8192), EMFILE);
	});
	test_write_file(LIMIT("queues_max"), "0\n");
	CHILD({
		OK(setgid(1001));
		OK(setuid(1001));
		CHECK_ERRNO(make("/limits", 1, 1), ENOSPC);
	});
	OK(close((int)OK(make("/limits", 1, 1))));
	OK(mq_unlink("/limits"));
}

int main(void)
{
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		check_limits();
		_exit(0);
	}
	int status = test_wait(child);
	test_write_file(LIMIT("queues_max"), "256\n");
	test_write_file(LIMIT("msg_default"), "10\n");
	CHECK_EQ(status, 0);
	return 0;
}
