/* Symbolic links: 40 are followed, a circle is ELOOP, the last one is followed or not as the call says. */
#include "nos_test.h"

int main(void)
{
	char name[16], target[16];
	struct stat info;
	test_write_file("l0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof name, "l%d", i);
		snprintf(target, sizeof target, "l%d", i - 1);
		OK(symlink(target, name));
	}
	OK(stat("l40", &info));
	CHECK_ERRNO(stat("l41", &info), ELOOP);
	OK(symlink("b", "a"));
	OK(symlink("a", "b"));
	CHECK_ERRNO(open("a", O_RDONLY), ELOOP);
	CHECK_ERRNO(open("l1", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERRNO(open("l1", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	int path = (int)OK(open("l1", O_PATH | O_NOFOLLOW));
	OK(fstat(path, &info));
	CHECK(S_ISLNK(info.st_mode));
	CHECK_ERRNO(read(path, name, 1), EBADF);
	CHECK_ERRNO(symlink("", "empty"), ENOENT);
	OK(symlink("nowhere", "dangling"));
	CHECK_ERRNO(open("dangling", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
	OK(open("dangling", O_CREAT | O_WRONLY, 0600));
	OK(stat("nowhere", &info));
	OK(mkdir("d", 0700));
	OK(symlink("d/", "slash"));
	OK(lstat("slash", &info));
	CHECK(S_ISLNK(info.st_mode));
	OK(lstat("slash/", &info));
	CHECK(S_ISDIR(info.st_mode));
	OK(symlink("l0/", "wrong"));
	CHECK_ERRNO(stat("wrong", &info), ENOTDIR);
	return 0;
}
