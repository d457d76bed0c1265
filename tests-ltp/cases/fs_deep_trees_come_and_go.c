/* A very deep tree can be made, left from below, and taken down. */
#include "nos_test.h"

#define DEPTH 3000

int main(void)
{
	struct stat info;
	OK(mkdir("top", 0700));
	OK(chdir("top"));
	for (int i = 0; i < DEPTH; i++) {
		OK(mkdir("d", 0700));
		OK(chdir("d"));
	}
	CHECK_ERRNO(syscall(SYS_getcwd, (char[64]){ 0 }, 64UL), ENAMETOOLONG);
	/* Remove every level from below while standing in it. */
	int bottom = (int)OK(open(".", O_RDONLY | O_DIRECTORY));
	for (int i = 0; i < DEPTH; i++) {
		OK(chdir(".."));
		OK(rmdir("d"));
	}
	OK(fstat(bottom, &info));
	CHECK_EQ(info.st_nlink, 0);
	CHECK_ERRNO(openat(bottom, "x", O_CREAT | O_WRONLY, 0600), ENOENT);
	OK(close(bottom));
	OK(chdir(".."));
	OK(rmdir("top"));
	return 0;
}
