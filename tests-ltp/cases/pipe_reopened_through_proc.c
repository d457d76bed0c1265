/* /proc/self/fd/N of a pipe opens another end of the same pipe, and both ends are one inode. */
#include "nos_test.h"

int main(void)
{
	int p[2];
	char path[64], c;
	struct stat a, b;
	OK(pipe(p));
	OK(fstat(p[0], &a));
	OK(fstat(p[1], &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK(S_ISFIFO(a.st_mode));
	snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
	int reader = OK(open(path, O_RDONLY));
	CHECK_EQ(write(p[1], "ab", 2), 2);
	CHECK_EQ(read(reader, &c, 1), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 'b');
	snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
	int writer = OK(open(path, O_WRONLY));
	OK(close(p[1]));
	CHECK_EQ(write(writer, "c", 1), 1);
	OK(close(writer));
	CHECK_EQ(read(reader, &c, 1), 1);
	CHECK_EQ(read(reader, &c, 1), 0);

	/* Nobody else has it open: neither side waits for the other. */
	OK(close(reader));
	snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
	reader = OK(open(path, O_RDONLY));
	CHECK_EQ(read(reader, &c, 1), 0);
	return 0;
}
