/* Descriptors: the lowest free number, limits, dup and close_range. */
#include "nos_test.h"
#include <sys/resource.h>

int main(void)
{
	struct stat info;
	OK(syscall(SYS_close_range, 3, ~0U, 0));
	int first = (int)OK(open("/dev/null", O_RDONLY));
	int last = first;
	for (int i = 0; i < 200; i++) {
		int fd = (int)OK(dup(first));
		CHECK_EQ(fd, last + 1);
		last = fd;
	}
	OK(close(first + 100));
	OK(close(first + 7));
	CHECK_EQ(dup(first), first + 7);
	CHECK_EQ(open("/dev/null", O_RDONLY), first + 100);
	CHECK_EQ(fcntl(first, F_DUPFD, 500), 500);
	CHECK_EQ(fcntl(first, F_DUPFD_CLOEXEC, 500), 501);
	CHECK_EQ(fcntl(501, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(500, F_GETFD), 0);
	CHECK_EQ(dup2(first, first), first);
	CHECK_ERRNO(dup3(first, first, 0), EINVAL);
	CHECK_EQ(dup2(first, 600), 600);
	CHECK_ERRNO(dup2(999, 999), EBADF);
	struct rlimit limit = { 610, 4096 };
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERRNO(dup2(first, 610), EBADF);
	CHECK_ERRNO(fcntl(first, F_DUPFD, 610), EINVAL);
	OK(fcntl(first, F_DUPFD, 609));
	CHECK_ERRNO(fcntl(first, F_DUPFD, 609), EMFILE);
	OK(syscall(SYS_close_range, first + 1, 400, 0));
	CHECK_ERRNO(fstat(first + 1, &info), EBADF);
	OK(fstat(500, &info));
	OK(syscall(SYS_close_range, 500, ~0U, 4));
	CHECK_EQ(fcntl(500, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	limit.rlim_cur = first + 3;
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	OK(dup(first));
	OK(dup(first));
	/* A full table makes no file. */
	CHECK_ERRNO(open("made", O_CREAT | O_WRONLY, 0600), EMFILE);
	CHECK_ERRNO(stat("made", &info), ENOENT);
	CHECK_ERRNO(close(999), EBADF);
	CHECK_ERRNO(close(-1), EBADF);
	return 0;
}
