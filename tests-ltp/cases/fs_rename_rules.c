/* What rename replaces, refuses, and leaves as it was. */
#include "nos_test.h"

int main(void)
{
	struct stat before, after;
	OK(mkdir("d", 0700));
	OK(mkdir("d/e", 0700));
	OK(mkdir("empty", 0700));
	test_write_file("f", "f");
	test_write_file("g", "g");
	OK(link("f", "same"));
	CHECK_ERRNO(rename("d", "d/e/x"), EINVAL);
	CHECK_ERRNO(rename("d/e", "d"), ENOTEMPTY);
	CHECK_ERRNO(rename("empty", "d"), ENOTEMPTY);
	CHECK_ERRNO(rename("d", "f"), ENOTDIR);
	CHECK_ERRNO(rename("f", "d"), EISDIR);
	CHECK_ERRNO(rename("none", "x"), ENOENT);
	CHECK_ERRNO(rename("f/", "x"), ENOTDIR);
	CHECK_ERRNO(rename("f", "x/"), ENOTDIR);
	CHECK_ERRNO(rename(".", "x"), EBUSY);
	CHECK_ERRNO(rename("d/..", "x"), EBUSY);
	CHECK_ERRNO(rename("f", "/proc/x"), EXDEV);
	OK(rename("d", "d"));
	/* Two names of one file: nothing happens. */
	OK(rename("f", "same"));
	OK(stat("f", &before));
	CHECK_EQ(before.st_nlink, 2);
	/* A directory over an empty one; an open file stays readable. */
	int open_file = (int)OK(open("g", O_RDONLY));
	OK(rename("d", "empty"));
	CHECK_ERRNO(stat("d", &after), ENOENT);
	OK(stat("empty/e", &after));
	OK(rename("f", "g"));
	OK(stat("g", &after));
	CHECK_EQ(after.st_ino, before.st_ino);
	char byte;
	CHECK_EQ(read(open_file, &byte, 1), 1);
	CHECK_EQ(byte, 'g');
	OK(fstat(open_file, &after));
	CHECK_EQ(after.st_nlink, 0);
	/* Moving a directory moves its `..` and its link counts. */
	OK(mkdir("p", 0700));
	OK(mkdir("q", 0700));
	OK(mkdir("p/c", 0700));
	OK(chdir("p/c"));
	OK(rename("../../p/c", "../../q/moved"));
	char cwd[4096];
	CHECK(getcwd(cwd, sizeof cwd) != NULL);
	CHECK_STR(strstr(cwd, "/q/moved"), "/q/moved");
	OK(stat("../../p", &after));
	CHECK_EQ(after.st_nlink, 2);
	OK(stat("..", &after));
	CHECK_EQ(after.st_nlink, 3);
	/* A directory that is gone. */
	OK(rmdir("../moved"));
	CHECK_ERRNO(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERRNO(mkdir("x", 0700), ENOENT);
	CHECK_ERRNO(syscall(SYS_getcwd, cwd, sizeof cwd), ENOENT);
	OK(stat("..", &after));
	return 0;
}
