/* /proc/<pid>/mem and huge pages: what the program may not do, a debugger may, page by page, and nobody else sees it. */
#include "nos_huge.h"

static int mem;

/* A debugger's write among pages that were filled with `seed`. */
static void written_with(int prot, int seed)
{
	char *at = huge_region(1), byte;
	want_huge(at);
	fill_pages(at, 512, seed);
	OK(mprotect(at, HUGE_SIZE, prot));
	char *target = at + 300 * 4096 + 100;
	CHECK_EQ(pread(mem, &byte, 1, (off_t)target), 1);
	CHECK_EQ(byte, 0);
	CHECK_EQ(pwrite(mem, "x", 1, (off_t)target), 1);
	CHECK_EQ(pread(mem, &byte, 1, (off_t)target), 1);
	CHECK_EQ(byte, 'x');
	OK(mprotect(at, HUGE_SIZE, RW));
	CHECK_EQ(*target, 'x');
	check_pages(at, 0, 512, seed);
	OK(munmap(at, HUGE_SIZE));
}

int main(void)
{
	mem = (int)OK(open("/proc/self/mem", O_RDWR));
	written_with(RW, 1);
	written_with(PROT_READ, 2);
	written_with(PROT_NONE, 3);

	/* Memory that a child shares is copied first. */
	char *at = huge_region(1);
	want_huge(at);
	fill_pages(at, 512, 4);
	OK(mprotect(at, HUGE_SIZE, PROT_READ));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_EQ(pwrite(mem = (int)OK(open("/proc/self/mem", O_RDWR)), "y", 1, (off_t)at + 4096 + 50), 1);
		CHECK_EQ(at[4096 + 50], 'y');
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(at[4096 + 50], 0);
	check_pages(at, 0, 512, 4);

	/* What was never touched. */
	at = huge_region(2);
	OK(mprotect(at, 2 * HUGE_SIZE, PROT_READ));
	CHECK_EQ(pwrite(mem, "z", 1, (off_t)at + HUGE_SIZE + 5), 1);
	CHECK_EQ(at[HUGE_SIZE + 5], 'z');
	CHECK_EQ(at[5], 0);
	CHECK_EQ(pwrite(mem, "z", 1, (off_t)at + 6), 1);
	CHECK_EQ(at[6], 'z');
	check_zeros(at + 4096, 511);
	return 0;
}
