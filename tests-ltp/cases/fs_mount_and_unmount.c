/* Mounting, binding, moving, read-only and lazy unmounting of tmpfs. */
#include "nos_test.h"
#include <sys/mount.h>
#include <sys/statfs.h>

int main(void)
{
	struct stat info, other;
	struct statfs fs;
	OK(mkdir("m", 0700));
	OK(mkdir("n", 0700));
	test_write_file("m/below", "below");
	OK(stat("m", &other));
	OK(mount("none", "m", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0750,nr_inodes=20"));
	OK(stat("m", &info));
	CHECK(info.st_dev != other.st_dev);
	CHECK_EQ(info.st_mode & 07777, 0750);
	CHECK_ERRNO(stat("m/below", &other), ENOENT);
	OK(statfs("m", &fs));
	CHECK_EQ(fs.f_type, 0x01021994);
	CHECK_EQ(fs.f_blocks, 16);
	CHECK_EQ(fs.f_bfree, 16);
	CHECK_EQ(fs.f_files, 20);
	CHECK_EQ(fs.f_flags & 6, 6);
	/* Its limit. */
	static char page[4096];
	int fd = (int)OK(open("m/full", O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(write(fd, page, sizeof page), (long)sizeof page);
	CHECK_ERRNO(write(fd, page, sizeof page), ENOSPC);
	CHECK_ERRNO(umount("m"), EBUSY);
	OK(close(fd));
	OK(unlink("m/full"));
	CHECK_ERRNO(rename("m", "x"), EBUSY);
	CHECK_ERRNO(rmdir("m"), EBUSY);
	CHECK_ERRNO(link("m/..", "n/x"), EPERM);
	test_write_file("m/f", "f");
	CHECK_ERRNO(rename("m/f", "f"), EXDEV);
	CHECK_ERRNO(link("m/f", "f"), EXDEV);
	OK(stat("m/..", &info));
	OK(stat(".", &other));
	CHECK_EQ(info.st_ino, other.st_ino);
	/* Bind, read-only. */
	OK(mount("m", "n", NULL, MS_BIND, NULL));
	CHECK_STR(test_read_file("n/f"), "f");
	OK(mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_ERRNO(open("n/f", O_WRONLY), EROFS);
	CHECK_ERRNO(mkdir("n/d", 0700), EROFS);
	CHECK_ERRNO(unlink("n/f"), EROFS);
	CHECK_ERRNO(chmod("n/f", 0600), EROFS);
	CHECK_ERRNO(access("n/f", W_OK), EROFS);
	OK(open("m/f", O_WRONLY));
	OK(umount("n"));
	CHECK_ERRNO(umount("n"), EINVAL);
	/* A file keeps a lazily unmounted file system alive. */
	fd = (int)OK(open("m/f", O_RDWR));
	OK(umount2("m", MNT_DETACH));
	CHECK_STR(test_read_file("m/below"), "below");
	CHECK_EQ(pwrite(fd, "g", 1, 0), 1);
	CHECK_ERRNO(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERRNO(mount("none", "m", "tmpfs", 0, "nosuchoption"), EINVAL);
	CHECK_ERRNO(mount("none", "absent", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERRNO(mount("none", "m/below", "tmpfs", 0, NULL), ENOTDIR);
	CHILD({
		OK(setuid(1000));
		CHECK_ERRNO(mount("none", "/", "tmpfs", 0, NULL), EPERM);
		CHECK_ERRNO(umount("/"), EPERM);
	});
	return 0;
}
