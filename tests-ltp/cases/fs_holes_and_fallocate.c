/* Sparse files: blocks, SEEK_DATA and SEEK_HOLE, fallocate, truncation that zeroes. */
#include "nos_test.h"

int main(void)
{
	char buffer[8192];
	struct stat info;
	int fd = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
	OK(fstat(fd, &info));
	CHECK_EQ(info.st_size, (1 << 20) + 1);
	CHECK_EQ(info.st_blocks, 8);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1 << 20);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1);
	CHECK_ERRNO(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
	/* Truncation down and up again reads zeros. */
	memset(buffer, 'y', sizeof buffer);
	CHECK_EQ(pwrite(fd, buffer, sizeof buffer, 0), (long)sizeof buffer);
	OK(ftruncate(fd, 100));
	OK(ftruncate(fd, 8192));
	CHECK_EQ(pread(fd, buffer, sizeof buffer, 0), 8192);
	CHECK_EQ(buffer[99], 'y');
	for (int i = 100; i < 8192; i++)
		CHECK_EQ(buffer[i], 0);
	OK(fallocate(fd, 0, 0, 65536));
	OK(fstat(fd, &info));
	CHECK_EQ(info.st_size, 65536);
	CHECK_EQ(info.st_blocks, 128);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 65536, 4096));
	OK(fstat(fd, &info));
	CHECK_EQ(info.st_size, 65536);
	CHECK_EQ(pwrite(fd, "abc", 3, 4095), 3);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
	CHECK_EQ(pread(fd, buffer, 3, 4095), 3);
	CHECK_EQ(buffer[0], 'a');
	CHECK_EQ(buffer[1], 0);
	CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, -1, 1), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0x40000000, 0, 1), EOPNOTSUPP);
	CHECK_ERRNO(truncate(".", 0), EISDIR);
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	int readonly = (int)OK(open("f", O_RDONLY));
	CHECK_ERRNO(ftruncate(readonly, 0), EINVAL);
	CHECK_ERRNO(fallocate(readonly, 0, 0, 1), EBADF);
	return 0;
}
