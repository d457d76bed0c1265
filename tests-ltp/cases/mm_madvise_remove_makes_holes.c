/* MADV_REMOVE: pages of files and shared memory are given up, for all who map them. */
#include "nos_test.h"

#define PAGES 8
#define SIZE (PAGES * 4096)

static void removes(char *memory)
{
	memset(memory, 'a', SIZE);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(madvise(memory + 4096, 2 * 4096, MADV_REMOVE));
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(memory[4095], 'a');
	for (int at = 4096; at < 3 * 4096; at++)
		CHECK_EQ(memory[at], 0);
	CHECK_EQ(memory[3 * 4096], 'a');
	memory[4096] = 'b';
	CHECK_EQ(memory[4096], 'b');
}

int main(void)
{
	int rw = PROT_READ | PROT_WRITE;
	char *memory = mmap(NULL, SIZE, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	removes(memory);
	OK(mlock(memory, 4096));
	CHECK_ERRNO(madvise(memory, 4096, MADV_REMOVE), EINVAL);
	OK(munlock(memory, 4096));
	/* It must be writable, or such that it may be made so. */
	OK(mprotect(memory, SIZE, PROT_READ));
	OK(madvise(memory + 3 * 4096, 4096, MADV_REMOVE));
	CHECK_EQ(memory[3 * 4096], 0);

	int fd = (int)OK(open("file", O_CREAT | O_RDWR, 0600));
	OK(ftruncate(fd, SIZE));
	memory = mmap(NULL, SIZE, rw, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	removes(memory);
	char text[2];
	CHECK_EQ(pread(fd, text, 2, 4095), 2);
	CHECK(text[0] == 'a' && text[1] == 'b');
	struct stat status;
	OK(madvise(memory + 5 * 4096, 4096, MADV_REMOVE));
	OK(fstat(fd, &status));
	CHECK_EQ(status.st_size, SIZE);
	CHECK_EQ(status.st_blocks, (PAGES - 1) * 8);
	char *private = mmap(NULL, SIZE, rw, MAP_PRIVATE, fd, 0);
	CHECK(private != MAP_FAILED);
	CHECK_ERRNO(madvise(private, 4096, MADV_REMOVE), EACCES);
	int reader = (int)OK(open("file", O_RDONLY));
	char *read_only = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, reader, 0);
	CHECK(read_only != MAP_FAILED);
	CHECK_ERRNO(madvise(read_only, 4096, MADV_REMOVE), EACCES);
	OK(munmap(memory, 4096));
	CHECK_ERRNO(madvise(memory, 2 * 4096, MADV_REMOVE), ENOMEM);
	CHECK_EQ(memory[4096], 0);

	memory = mmap(NULL, SIZE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_ERRNO(madvise(memory, 4096, MADV_REMOVE), EINVAL);
	return 0;
}
