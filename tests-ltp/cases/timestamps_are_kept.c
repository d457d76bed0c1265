/* utimensat sets, statx shows; a write moves mtime and ctime. */
#include "nos_test.h"

int main(void)
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 6 } }, omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	struct stat info;
	struct statx extended;
	test_write_file("f", "x");
	OK(utimensat(AT_FDCWD, "f", times, 0));
	OK(stat("f", &info));
	CHECK_EQ(info.st_atim.tv_sec, 1000);
	CHECK_EQ(info.st_mtim.tv_sec, 2000);
	CHECK_EQ(info.st_mtim.tv_nsec, 6);
	CHECK(info.st_ctim.tv_sec > 1500000000);
	OK(utimensat(AT_FDCWD, "f", omit, 0));
	OK(stat("f", &info));
	CHECK_EQ(info.st_atim.tv_sec, 1000);
	CHECK(info.st_mtim.tv_sec > 1500000000);
	OK(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &extended));
	CHECK_EQ(extended.stx_size, 1);
	CHECK_EQ(extended.stx_mode, S_IFREG | 0644);
	CHECK_EQ(extended.stx_nlink, 1);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0x8000000, STATX_BASIC_STATS, &extended), EINVAL);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "", 0, STATX_BASIC_STATS, &extended), ENOENT);
	int fd = (int)OK(open("f", O_WRONLY));
	OK(futimens(fd, times));
	CHECK_EQ(write(fd, "y", 1), 1);
	OK(fstat(fd, &info));
	CHECK(info.st_mtim.tv_sec > 1500000000);
	OK(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &extended));
	return 0;
}
