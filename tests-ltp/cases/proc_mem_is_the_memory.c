/* /proc/<pid>/mem: memory at its addresses, with a debugger's rights. */
#include "nos_test.h"

static char *map(int prot, int flags)
{
	char *memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	memset(memory, 'a', 3 * 4096);
	OK(mprotect(memory, 3 * 4096, prot));
	return memory;
}

static void of_others(void)
{
	char *memory = map(PROT_READ, MAP_PRIVATE), text[8];
	int ends[2];
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		OK(read(ends[0], &byte, 1));
		_exit(memory[5] == 'x' ? 0 : 1);
	}
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/mem", child);
	int fd = (int)OK(open(path, O_RDWR));
	CHECK_EQ(pread(fd, text, 4, (off_t)memory), 4);
	CHECK(memcmp(text, "aaaa", 4) == 0);
	CHECK_EQ(pwrite(fd, "x", 1, (off_t)memory + 5), 1);
	CHECK_EQ(memory[5], 'a');
	OK(write(ends[1], "", 1));
	CHECK_EQ(test_wait(child), 0);
	/* Its memory has gone. */
	CHECK_EQ(pread(fd, text, 4, (off_t)memory), 0);
	OK(close(fd));
}

int main(void)
{
	static char buffer[3 * 4096];
	int fd = (int)OK(open("/proc/self/mem", O_RDWR));
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK_EQ(pwrite(fd, "across pages", 12, (off_t)memory + 4090), 12);
	CHECK(memcmp(memory + 4089, "aacross pagesa", 14) == 0);
	CHECK_EQ(lseek(fd, (off_t)memory + 4091, SEEK_SET), (off_t)memory + 4091);
	CHECK_EQ(read(fd, buffer, 5), 5);
	CHECK(memcmp(buffer, "cross", 5) == 0);
	CHECK_EQ(lseek(fd, 1, SEEK_CUR), (off_t)memory + 4097);
	CHECK_ERRNO(lseek(fd, 0, SEEK_END), EINVAL);

	/* As far as there is something. */
	OK(munmap(memory + 8192, 4096));
	CHECK_EQ(pread(fd, buffer, sizeof buffer, (off_t)memory), 8192);
	CHECK_ERRNO(pread(fd, buffer, 1, (off_t)memory + 8192), EIO);
	CHECK_ERRNO(pwrite(fd, buffer, 1, (off_t)memory + 8192), EIO);
	CHECK_ERRNO(pread(fd, buffer, 1, 0), EIO);
	CHECK_EQ(pread(fd, buffer, 0, 0), 0);
	CHECK_ERRNO(pread(fd, UNMAPPED_ADDRESS, 1, (off_t)memory), EFAULT);

	/* What the program must not do, a debugger may, in private memory. */
	memory = map(PROT_NONE, MAP_PRIVATE);
	CHECK_EQ(pread(fd, buffer, 2, (off_t)memory), 2);
	CHECK(memcmp(buffer, "aa", 2) == 0);
	CHECK_EQ(pwrite(fd, "b", 1, (off_t)memory), 1);
	OK(mprotect(memory, 4096, PROT_READ));
	CHECK_EQ(memory[0], 'b');
	memory = map(PROT_READ, MAP_PRIVATE);
	CHECK_EQ(pwrite(fd, "c", 1, (off_t)memory), 1);
	CHECK_EQ(memory[0], 'c');
	/* It still cannot be written by the program itself. */
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		*(volatile char *)memory = 'd';
		_exit(0);
	}
	CHECK_EQ(test_wait(child), SIGSEGV);
	/* Code too: the file stays as it is. */
	long function = (long)&of_others & ~4095;
	unsigned char code, twice;
	CHECK_EQ(pread(fd, &code, 1, function), 1);
	code ^= 1;
	CHECK_EQ(pwrite(fd, &code, 1, function), 1);
	CHECK_EQ(pread(fd, &twice, 1, function), 1);
	CHECK_EQ(twice, code);
	code ^= 1;
	CHECK_EQ(pwrite(fd, &code, 1, function), 1);
	/* Shared memory is as it says. */
	memory = map(PROT_READ, MAP_SHARED);
	CHECK_EQ(pread(fd, buffer, 2, (off_t)memory), 2);
	CHECK_ERRNO(pwrite(fd, "b", 1, (off_t)memory), EIO);
	of_others();
	return 0;
}
