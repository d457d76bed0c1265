/* The *at calls resolve against a descriptor, or the current folder. */
#include "nos_test.h"

int main(void)
{
	char buffer[64];
	struct stat info;
	OK(mkdir("d", 0755));
	int folder = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(close((int)OK(openat(folder, "f", O_CREAT | O_WRONLY, 0600))));
	OK(fstatat(AT_FDCWD, "d/f", &info, 0));
	OK(symlinkat("f", folder, "l"));
	ssize_t length = OK(readlinkat(folder, "l", buffer, sizeof buffer));
	CHECK_EQ(length, 1);
	OK(fstatat(folder, "l", &info, AT_SYMLINK_NOFOLLOW));
	CHECK(S_ISLNK(info.st_mode));
	OK(linkat(folder, "f", AT_FDCWD, "g", 0));
	OK(renameat(AT_FDCWD, "g", folder, "h"));
	OK(mkdirat(folder, "sub", 0700));
	CHECK_ERRNO(unlinkat(folder, "sub", 0), EISDIR);
	OK(unlinkat(folder, "sub", AT_REMOVEDIR));
	OK(faccessat(folder, "h", R_OK, 0));
	CHECK_ERRNO(openat(999, "f", O_RDONLY), EBADF);
	OK(close((int)OK(openat(999, "/dev/null", O_RDONLY))));
	int file = (int)OK(openat(folder, "f", O_RDONLY));
	CHECK_ERRNO(openat(file, "x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(readlink("d/f", buffer, sizeof buffer), EINVAL);
	CHECK_ERRNO(syscall(SYS_readlinkat, folder, "l", buffer, 0), EINVAL);
	OK(fchdir(folder));
	CHECK_STR(strrchr(getcwd(buffer, sizeof buffer), '/'), "/d");
	CHECK_ERRNO(syscall(SYS_getcwd, buffer, 2), ERANGE);
	return 0;
}
