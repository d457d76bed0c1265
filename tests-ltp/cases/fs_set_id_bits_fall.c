/* Set-id bits fall at a write or change of owner; a set-group-id directory hands its group down. */
#include "nos_test.h"

static mode_t mode_of(const char *path)
{
	struct stat info;
	OK(stat(path, &info));
	return info.st_mode & 07777;
}

int main(void)
{
	struct stat info;
	OK(chmod(".", 0777));
	test_write_file("f", "x");
	OK(chmod("f", 06777));
	CHILD({
		OK(setgid(1000));
		OK(setuid(1000));
		int fd = (int)OK(open("f", O_WRONLY));
		CHECK_EQ(write(fd, "y", 1), 1);
	});
	CHECK_EQ(mode_of("f"), 0777);
	OK(chmod("f", 06777));
	OK(chown("f", 1000, 1000));
	CHECK_EQ(mode_of("f"), 0777);
	OK(mkdir("d", 0700));
	OK(chown("d", 0, 1234));
	OK(chmod("d", 02777));
	umask(022);
	OK(mkdir("d/sub", 0777));
	OK(stat("d/sub", &info));
	CHECK_EQ(info.st_gid, 1234);
	CHECK_EQ(info.st_mode & 07777, 02755);
	test_write_file("d/file", "");
	OK(stat("d/file", &info));
	CHECK_EQ(info.st_gid, 1234);
	/* Not in the group: the bit is not kept. */
	OK(chown("d/file", 1000, 1234));
	CHILD({
		OK(setgid(1000));
		OK(setuid(1000));
		OK(chmod("d/file", 02770));
	});
	CHECK_EQ(mode_of("d/file"), 0770);
	return 0;
}
