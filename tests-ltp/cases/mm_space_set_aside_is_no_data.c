/* Space that fallocate set aside in a file in memory is a hole until it is written or mapped in. */
#include "nos_test.h"

#define PAGES 32

int main(void)
{
	unsigned char present[PAGES];
	int fd = (int)OK(memfd_create("space", 0));
	OK(fallocate(fd, 0, 0, PAGES * 4096));
	struct stat status;
	OK(fstat(fd, &status));
	CHECK_EQ(status.st_blocks, PAGES * 8);
	CHECK_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO);
	char *memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	OK(mincore(memory, PAGES * 4096, present));
	for (int page = 0; page < PAGES; page++)
		CHECK_EQ(present[page] & 1, 0);
	memory[5 * 4096] = 1;
	CHECK_EQ(pwrite(fd, "x", 1, 9 * 4096), 1);
	CHECK_EQ(pread(fd, present, 1, 20 * 4096), 1);
	CHECK_EQ(present[0], 0);
	OK(mincore(memory, PAGES * 4096, present));
	for (int page = 0; page < PAGES; page++)
		CHECK_EQ(present[page] & 1, page == 5 || page == 9);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 5 * 4096);
	CHECK_EQ(lseek(fd, 5 * 4096, SEEK_HOLE), 6 * 4096);
	CHECK_EQ(lseek(fd, 6 * 4096, SEEK_DATA), 9 * 4096);
	CHECK_ERRNO(lseek(fd, 10 * 4096, SEEK_DATA), ENXIO);
	CHECK_EQ(memory[20 * 4096], 0);
	CHECK_EQ(lseek(fd, 10 * 4096, SEEK_DATA), 20 * 4096);
	OK(fstat(fd, &status));
	CHECK_EQ(status.st_blocks, PAGES * 8);
	return 0;
}
