/* mq_open(3), mq_unlink(3): names, flags, modes, attributes, and the errors of the system calls. */
#include "nos_mq.h"

static long raw_open(const char *name, int flags, int mode, struct mq_attr *attributes)
{
	return syscall(SYS_mq_open, name, flags, mode, attributes);
}

int main(void)
{
	char name[300];
	struct mq_attr attributes = { .mq_maxmsg = 3, .mq_msgsize = 20 };
	syscall(SYS_mq_unlink, "case");
	CHECK_ERRNO(raw_open("case", O_RDWR, 0, NULL), ENOENT);
	umask(022);
	int queue = (int)OK(raw_open("case", O_CREAT | O_EXCL | O_RDWR, 0666, &attributes));
	CHECK_EQ(fcntl(queue, F_GETFD), FD_CLOEXEC);
	struct stat stat;
	OK(fstat(queue, &stat));
	CHECK_EQ(stat.st_mode, S_IFREG | 0644);
	CHECK_EQ(stat.st_size, 80);
	CHECK_EQ(stat.st_nlink, 1);
	CHECK_ERRNO(raw_open("case", O_CREAT | O_EXCL | O_RDWR, 0666, NULL), EEXIST);
	CHECK_ERRNO(raw_open("case", O_RDWR | O_WRONLY, 0, NULL), EINVAL);
	CHECK_ERRNO(raw_open("/case", O_RDWR, 0, NULL), EACCES);
	CHECK_ERRNO(raw_open(".", O_RDWR, 0, NULL), EACCES);
	CHECK_ERRNO(raw_open("", O_RDWR, 0, NULL), ENOENT);
	CHECK_ERRNO(raw_open(UNMAPPED_ADDRESS, O_RDWR, 0, NULL), EFAULT);
	CHECK_ERRNO(raw_open("case", O_RDWR | O_CREAT, 0, UNMAPPED_ADDRESS), EFAULT);
	memset(name, 'n', sizeof name);
	name[256] = '\0';
	CHECK_ERRNO(raw_open(name, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
	name[255] = '\0';
	OK(close((int)OK(raw_open(name, O_CREAT | O_RDWR, 0600, NULL))));
	OK(syscall(SYS_mq_unlink, name));
	/* Attributes of an existing queue are not looked at. */
	attributes.mq_maxmsg = 99;
	int second = (int)OK(raw_open("case", O_CREAT | O_RDONLY | O_NONBLOCK, 0666, &attributes));
	OK(mq_getattr(second, &attributes));
	CHECK(attributes.mq_flags == O_NONBLOCK && attributes.mq_maxmsg == 3 && attributes.mq_msgsize == 20);
	OK(mq_getattr(queue, &attributes));
	CHECK_EQ(attributes.mq_flags, 0);
	/* Each open has its own blocking mode. */
	attributes.mq_flags = O_NONBLOCK;
	struct mq_attr old;
	OK(mq_setattr(queue, &attributes, &old));
	CHECK_EQ(old.mq_flags, 0);
	OK(mq_getattr(queue, &attributes));
	CHECK_EQ(attributes.mq_flags, O_NONBLOCK);
	attributes.mq_flags = O_APPEND;
	CHECK_ERRNO(mq_setattr(queue, &attributes, NULL), EINVAL);
	CHECK_ERRNO(mq_getattr(0, &attributes), EBADF);
	CHECK_ERRNO(mq_getattr(-1, &attributes), EBADF);
	CHILD({
		OK(setgid(1001));
		OK(setuid(1001));
		CHECK_ERRNO(raw_open("case", O_WRONLY, 0, NULL), EACCES);
		OK(raw_open("case", O_RDONLY, 0, NULL));
		CHECK_ERRNO(syscall(SYS_mq_unlink, "case"), EPERM);
	});
	/* Without a name it lives on. */
	OK(syscall(SYS_mq_unlink, "case"));
	CHECK_ERRNO(syscall(SYS_mq_unlink, "case"), ENOENT);
	CHECK_ERRNO(raw_open("case", O_RDWR, 0, NULL), ENOENT);
	OK(fstat(queue, &stat));
	CHECK_EQ(stat.st_nlink, 0);
	OK(mq_put(queue, "still", 0));
	CHECK_STR(mq_take(second, NULL), "still");
	return 0;
}
