/* lseek, pread, pwrite, truncate: offsets, holes, and the errors at the edges. */
#include "nos_test.h"

int main(void)
{
	char buffer[16];
	struct stat info;
	int fd = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(pwrite(fd, "end", 3, 1 << 20), 3);
	OK(fstat(fd, &info));
	CHECK_EQ(info.st_size, (1 << 20) + 3);
	CHECK(info.st_blocks < 2048);
	CHECK_EQ(pread(fd, buffer, 16, 1 << 19), 16);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(buffer[i], 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(lseek(fd, -3, SEEK_END), 1 << 20);
	CHECK_EQ(read(fd, buffer, 16), 3);
	CHECK_EQ(read(fd, buffer, 16), 0);
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 77), EINVAL);
	CHECK_ERRNO(pread(fd, buffer, 1, -1), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1 << 20);
	CHECK_ERRNO(lseek(fd, 2 << 20, SEEK_DATA), ENXIO);
	OK(ftruncate(fd, 2));
	OK(ftruncate(fd, 10));
	CHECK_EQ(pread(fd, buffer, 16, 0), 10);
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	CHECK_ERRNO(truncate("missing", 0), ENOENT);
	int reader = (int)OK(open("f", O_RDONLY));
	CHECK_ERRNO(ftruncate(reader, 0), EINVAL);
	int append = (int)OK(open("f", O_WRONLY | O_APPEND));
	OK(lseek(append, 0, SEEK_SET));
	CHECK_EQ(write(append, "Z", 1), 1);
	CHECK_EQ(lseek(append, 0, SEEK_CUR), 11);
	return 0;
}
