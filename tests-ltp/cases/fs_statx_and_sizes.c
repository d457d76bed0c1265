/* What stat and statx say of files, links, directories and devices. */
#include "nos_test.h"
#include <linux/stat.h>
#include <sys/sysmacros.h>
#ifndef STATX_TYPE /* musl before 1.2.5 has no statx */
#undef S_IFMT
#include <linux/stat.h>
#define statx(...) syscall(SYS_statx, __VA_ARGS__)
#endif

static int statx_of(int dir, const char *path, int flags, unsigned mask, struct statx *out)
{
	return (int)syscall(SYS_statx, dir, path, flags, mask, out);
}

int main(void)
{
	struct stat info;
	struct statx x;
	test_write_file("f", "12345");
	OK(link("f", "g"));
	OK(symlink("f", "l"));
	OK(mknod("dev", S_IFCHR | 0600, makedev(1, 3)));
	OK(mknod("fifo", S_IFIFO | 0600, 0));
	OK(stat("f", &info));
	CHECK_EQ(info.st_nlink, 2);
	CHECK_EQ(info.st_size, 5);
	CHECK_EQ(info.st_blocks, 8);
	CHECK_EQ(info.st_blksize, 4096);
	OK(lstat("l", &info));
	CHECK_EQ(info.st_size, 1);
	CHECK_EQ(info.st_mode, S_IFLNK | 0777);
	OK(stat("dev", &info));
	CHECK_EQ(info.st_rdev, makedev(1, 3));
	CHECK(S_ISCHR(info.st_mode));
	OK(statx_of(AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
	CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(x.stx_size, 5);
	CHECK_EQ(x.stx_nlink, 2);
	OK(statx_of(AT_FDCWD, "dev", 0, STATX_TYPE, &x));
	CHECK_EQ(x.stx_rdev_major, 1);
	CHECK_EQ(x.stx_rdev_minor, 3);
	CHECK_ERRNO(statx_of(AT_FDCWD, "f", 0, 0x80000000, &x), EINVAL);
	CHECK_ERRNO(statx_of(AT_FDCWD, "f", 0x6000, 0, &x), EINVAL);
	CHECK_ERRNO(statx_of(AT_FDCWD, "", 0, 0, &x), ENOENT);
	int fd = (int)OK(open("f", O_PATH));
	OK(statx_of(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	CHECK_EQ(x.stx_size, 5);
	OK(fstatat(fd, "", &info, AT_EMPTY_PATH));
	CHECK_ERRNO(syscall(SYS_fchmod, fd, 0600), EBADF);
	CHECK_ERRNO(fstatat(AT_FDCWD, "f", &info, 0x10), EINVAL);
	/* Directories count their subdirectories. */
	OK(mkdir("d", 0700));
	OK(mkdir("d/a", 0700));
	OK(mkdir("d/b", 0700));
	test_write_file("d/c", "");
	OK(stat("d", &info));
	CHECK_EQ(info.st_nlink, 4);
	CHECK_EQ(info.st_size, 100);
	return 0;
}
