/* O_TMPFILE makes a file without a name, which linkat may give one. */
#include "nos_test.h"

int main(void)
{
	char path[64];
	struct stat info;
	int fd = (int)OK(open(".", O_TMPFILE | O_RDWR, 0600));
	CHECK_EQ(write(fd, "data", 4), 4);
	OK(fstat(fd, &info));
	CHECK_EQ(info.st_nlink, 0);
	int flags = fcntl(fd, F_GETFL);
	CHECK_EQ(flags & O_TMPFILE, O_TMPFILE);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK_STR(test_read_file("named"), "data");
	int once = (int)OK(open(".", O_TMPFILE | O_EXCL | O_RDWR, 0600));
	snprintf(path, sizeof path, "/proc/self/fd/%d", once);
	CHECK_ERRNO(linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW), ENOENT);
	CHECK_ERRNO(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	CHECK_ERRNO(open("named", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	/* A file whose names are all gone gets no new one. */
	int gone = (int)OK(open("gone", O_CREAT | O_RDWR, 0600));
	OK(unlink("gone"));
	snprintf(path, sizeof path, "/proc/self/fd/%d", gone);
	CHECK_ERRNO(linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW), ENOENT);
	return 0;
}
