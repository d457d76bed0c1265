/* /dev/null swallows, /dev/zero gives zeros and maps as memory, /dev/full is full. */
#include "nos_test.h"
#include <sys/sysmacros.h>

static void is_device(const char *path, int major_number, int minor_number)
{
	struct stat status;
	OK(stat(path, &status));
	CHECK(S_ISCHR(status.st_mode));
	CHECK_EQ(major(status.st_rdev), major_number);
	CHECK_EQ(minor(status.st_rdev), minor_number);
}

int main(void)
{
	char buffer[5000];
	is_device("/dev/null", 1, 3);
	is_device("/dev/zero", 1, 5);
	is_device("/dev/full", 1, 7);
	is_device("/dev/random", 1, 8);
	is_device("/dev/urandom", 1, 9);
	is_device("/dev/tty", 5, 0);
	is_device("/dev/console", 5, 1);
	is_device("/dev/ptmx", 5, 2);
	int null = (int)OK(open("/dev/null", O_RDWR));
	CHECK_EQ(read(null, buffer, 10), 0);
	CHECK_EQ(write(null, buffer, sizeof buffer), sizeof buffer);
	CHECK_EQ(write(null, UNMAPPED_ADDRESS, 10), 10);
	CHECK_EQ(lseek(null, 100, SEEK_SET), 0);
	CHECK_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_SHARED, null, 0) == MAP_FAILED ? -1 : 0, ENODEV);
	int zero = (int)OK(open("/dev/zero", O_RDWR));
	memset(buffer, 1, sizeof buffer);
	CHECK_EQ(read(zero, buffer, sizeof buffer), sizeof buffer);
	for (size_t i = 0; i < sizeof buffer; i++)
		CHECK_EQ(buffer[i], 0);
	CHECK_EQ(write(zero, buffer, 10), 10);
	char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_EQ(memory[5000], 0);
	memory[5000] = 1;
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
	CHECK(shared != MAP_FAILED);
	CHILD(shared[1] = 42);
	CHECK_EQ(shared[1], 42);
	int full = (int)OK(open("/dev/full", O_RDWR));
	CHECK_EQ(read(full, buffer, 10), 10);
	CHECK_ERRNO(write(full, buffer, 10), ENOSPC);
	return 0;
}
