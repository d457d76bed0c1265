/* Which error a bad name gives, and the limits of names. */
#include "nos_test.h"

int main(void)
{
	static char longest[4200], component[300];
	struct stat info;
	test_write_file("f", "x");
	OK(mkdir("d", 0700));
	CHECK_ERRNO(stat("", &info), ENOENT);
	CHECK_ERRNO(stat("f/", &info), ENOTDIR);
	CHECK_ERRNO(stat("f/x", &info), ENOTDIR);
	CHECK_ERRNO(stat("f/..", &info), ENOTDIR);
	CHECK_ERRNO(stat("d/x/..", &info), ENOENT);
	OK(stat("d/../d/./", &info));
	OK(stat("//..//../", &info));
	memset(component, 'x', 255);
	OK(close((int)OK(open(component, O_CREAT | O_RDWR, 0600))));
	OK(unlink(component));
	component[255] = 'x';
	CHECK_ERRNO(open(component, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	CHECK_ERRNO(mkdir(component, 0700), ENAMETOOLONG);
	for (int i = 0; i < 4095; i += 2)
		memcpy(longest + i, "./", 2);
	longest[4095] = 0;
	OK(stat(longest, &info));
	longest[4095] = 'd';
	CHECK_ERRNO(stat(longest, &info), ENAMETOOLONG);
	CHECK_ERRNO(mkdir("d", 0700), EEXIST);
	CHECK_ERRNO(mkdir(".", 0700), EEXIST);
	CHECK_ERRNO(mkdir("/", 0700), EEXIST);
	CHECK_ERRNO(mkdir("none/x", 0700), ENOENT);
	OK(mkdir("new/", 0700));
	CHECK_ERRNO(open("absent/", O_CREAT | O_WRONLY, 0600), EISDIR);
	CHECK_ERRNO(open("d", O_CREAT | O_RDONLY, 0600), EISDIR);
	CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("f", O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(symlink("f", "absent/"), ENOENT);
	CHECK_ERRNO(link("f", "absent/"), ENOENT);
	CHECK_ERRNO(link("d", "hard"), EPERM);
	CHECK_ERRNO(link("f", "d"), EEXIST);
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(unlink("f/"), ENOTDIR);
	CHECK_ERRNO(unlink("none"), ENOENT);
	CHECK_ERRNO(rmdir("f"), ENOTDIR);
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERRNO(rmdir("/"), EBUSY);
	CHECK_ERRNO(mknod("n", S_IFDIR | 0700, 0), EPERM);
	CHECK_ERRNO(mknod("n", 0150000, 0), EINVAL);
	OK(mknod("n", 0600, 0));
	OK(stat("n", &info));
	CHECK(S_ISREG(info.st_mode));
	return 0;
}
