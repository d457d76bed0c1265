/* open's flags and its errno for each kind of wrong path. */
#include "nos_test.h"

int main(void)
{
	char name[300];
	CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	int fd = (int)OK(open("file", O_CREAT | O_EXCL | O_RDWR, 0640));
	CHECK_ERRNO(open("file", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
	CHECK_ERRNO(open("file/x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
	memset(name, 'n', 299);
	name[299] = '\0';
	CHECK_ERRNO(open(name, O_RDONLY), ENAMETOOLONG);
	OK(symlink("loop", "loop"));
	CHECK_ERRNO(open("loop", O_RDONLY), ELOOP);
	OK(symlink("file", "link"));
	CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_EQ(write(fd, "hello", 5), 5);
	OK(close(fd));
	fd = (int)OK(open("link", O_WRONLY | O_APPEND));
	CHECK_EQ(write(fd, "!", 1), 1);
	OK(close(fd));
	CHECK_STR(test_read_file("file"), "hello!");
	fd = (int)OK(open("file", O_RDWR | O_TRUNC));
	struct stat info;
	OK(fstat(fd, &info));
	CHECK_EQ(info.st_size, 0);
	CHECK_EQ(info.st_mode & 07777, 0640);
	CHECK_ERRNO(close(fd + 100), EBADF);
	OK(close(fd));
	fd = (int)OK(open("file", O_RDONLY | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
	return 0;
}
