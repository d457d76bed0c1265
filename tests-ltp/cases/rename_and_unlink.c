/* rename replaces its target; an unlinked file lives on while it is open. */
#include "nos_test.h"

int main(void)
{
	char buffer[8] = "";
	struct stat info;
	test_write_file("a", "A");
	test_write_file("b", "B");
	OK(rename("a", "b"));
	CHECK_STR(test_read_file("b"), "A");
	CHECK_ERRNO(rename("a", "b"), ENOENT);
	OK(mkdir("dir", 0755));
	CHECK_ERRNO(rename("b", "dir"), EISDIR);
	CHECK_ERRNO(rename("dir", "b"), ENOTDIR);
	CHECK_ERRNO(rename("dir", "dir/sub"), EINVAL);
	test_write_file("dir/x", "");
	CHECK_ERRNO(rmdir("dir"), ENOTEMPTY);
	CHECK_ERRNO(unlink("dir"), EISDIR);
	CHECK_ERRNO(rmdir("b"), ENOTDIR);
	OK(link("b", "c"));
	OK(stat("c", &info));
	CHECK_EQ(info.st_nlink, 2);
	int fd = (int)OK(open("c", O_RDWR));
	OK(unlink("b"));
	OK(unlink("c"));
	OK(fstat(fd, &info));
	CHECK_EQ(info.st_nlink, 0);
	CHECK_EQ(read(fd, buffer, 8), 1);
	CHECK_STR(buffer, "A");
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 0x80), EINVAL);
	return 0;
}
