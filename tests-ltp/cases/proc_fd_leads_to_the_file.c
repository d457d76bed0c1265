/* /proc/self/fd links lead to the object: also when the name is gone, and to pipes; fdinfo shows position and flags. */
#include "nos_test.h"

int main(void)
{
	char path[64], target[256], expected[256], cwd[200];
	test_write_file("file", "content");
	int fd = (int)OK(open("file", O_RDONLY | O_CLOEXEC));
	CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK(getcwd(cwd, sizeof cwd));
	ssize_t n = OK(readlink(path, target, sizeof target - 1));
	target[n] = '\0';
	snprintf(expected, sizeof expected, "%s/file", cwd);
	CHECK_STR(target, expected);
	struct stat status;
	OK(lstat(path, &status));
	CHECK(S_ISLNK(status.st_mode));
	CHECK_EQ(status.st_mode & 0777, 0500);
	OK(unlink("file"));
	n = OK(readlink(path, target, sizeof target - 1));
	target[n] = '\0';
	snprintf(expected, sizeof expected, "%s/file (deleted)", cwd);
	CHECK_STR(target, expected);
	int again = (int)OK(open(path, O_RDONLY));
	CHECK_EQ(read(again, target, 7), 7);
	CHECK(memcmp(target, "content", 7) == 0);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	char *info = test_read_file(path);
	CHECK(strstr(info, "pos:\t3\n"));
	CHECK(strstr(info, "flags:\t02100000\n") || strstr(info, "flags:\t02000000\n"));
	int ends[2];
	OK(pipe(ends));
	snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
	n = OK(readlink(path, target, sizeof target - 1));
	target[n] = '\0';
	OK(fstat(ends[0], &status));
	snprintf(expected, sizeof expected, "pipe:[%llu]", (unsigned long long)status.st_ino);
	CHECK_STR(target, expected);
	CHECK_ERRNO(open("/proc/self/fd/999", O_RDONLY), ENOENT);
	n = OK(readlink("/proc/self/cwd", target, sizeof target - 1));
	target[n] = '\0';
	CHECK_STR(target, cwd);
	n = OK(readlink("/proc/self/root", target, sizeof target - 1));
	CHECK_EQ(n, 1);
	return 0;
}
