/* Changes of a part of a huge page leave the content of the rest as it was, and of what is moved. */
#include "nos_huge.h"

static char *fresh(int count)
{
	char *m = huge_region(count);
	want_huge(m);
	fill_pages(m, count * 512, 3);
	return m;
}

/* Whether the kernel may write there for us. */
static int writable(char *at)
{
	int fd = (int)OK(open("/dev/zero", O_RDONLY));
	long saved = *(long *)at;
	int done = read(fd, at, 8) == 8;
	if (done)
		*(long *)at = saved;
	OK(close(fd));
	return done;
}

int main(void)
{
	/* A page in the middle goes. */
	char *m = fresh(2);
	OK(munmap(m + 4096 * 200, 4096));
	unsigned char byte;
	CHECK_ERRNO(mincore(m + 4096 * 200, 4096, &byte), ENOMEM);
	check_pages(m, 0, 200, 3);
	check_pages(m + 4096 * 201, 201, 1024 - 201, 3);
	CHECK(mmap(m + 4096 * 200, 4096, RW, PRIVATE | MAP_FIXED, -1, 0) != MAP_FAILED);
	check_zeros(m + 4096 * 200, 1);
	OK(munmap(m, 2 * HUGE_SIZE));

	/* Protection of a part, and of all. */
	m = fresh(2);
	OK(mprotect(m + 4096 * 500, 4096 * 24, PROT_READ));
	check_pages(m, 0, 1024, 3);
	CHECK(!writable(m + 4096 * 511) && !writable(m + 4096 * 512));
	CHECK(writable(m + 4096 * 499) && writable(m + 4096 * 524));
	OK(mprotect(m, 2 * HUGE_SIZE, RW));
	CHECK(writable(m + 4096 * 511));
	check_pages(m, 0, 1024, 3);
	OK(munmap(m, 2 * HUGE_SIZE));
	m = fresh(2);
	OK(mprotect(m, HUGE_SIZE, PROT_NONE));
	int ends[2];
	OK(pipe(ends));
	CHECK_ERRNO(write(ends[1], m + HUGE_SIZE - 8, 8), EFAULT);
	CHECK(writable(m + HUGE_SIZE));
	OK(mprotect(m, HUGE_SIZE, PROT_READ));
	check_pages(m, 0, 1024, 3);
	CHECK(!writable(m));
	OK(mprotect(m, HUGE_SIZE, RW));
	CHECK(writable(m));
	check_pages(m, 0, 1024, 3);

	/* A part moves, all moves to where it lies alike, and to where it does not. */
	char *to = huge_region(4);
	OK(munmap(to, 4 * HUGE_SIZE));
	CHECK(mremap(m + 4096 * 3, 4096 * 600, 4096 * 600, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_pages(m, 0, 3, 3);
	check_pages(to, 3, 600, 3);
	check_pages(m + 4096 * 603, 603, 1024 - 603, 3);
	OK(munmap(m, 2 * HUGE_SIZE));
	OK(munmap(to, 4096 * 600));
	m = fresh(2);
	CHECK(mremap(m, 2 * HUGE_SIZE, 2 * HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_pages(to, 0, 1024, 3);
	fill_pages(to, 1024, 4);
	CHECK(mremap(to, 2 * HUGE_SIZE, 2 * HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, m + 4096) == m + 4096);
	check_pages(m + 4096, 0, 1024, 4);
	OK(munmap(m + 4096, 2 * HUGE_SIZE));
	m = fresh(2);
	char *grown = mremap(m, 2 * HUGE_SIZE, 5 * HUGE_SIZE, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED);
	check_pages(grown, 0, 1024, 3);
	check_zeros(grown + 2 * HUGE_SIZE, 3 * 512);
	char *shrunk = mremap(grown, 5 * HUGE_SIZE, HUGE_SIZE / 2, 0);
	CHECK(shrunk == grown);
	check_pages(grown, 0, 256, 3);
	OK(munmap(grown, HUGE_SIZE / 2));

	/* Content that may go: written after the advice, it stays. */
	m = fresh(2);
	OK(madvise(m, HUGE_SIZE, MADV_FREE));
	OK(madvise(m + HUGE_SIZE + 4096, 4096, MADV_FREE));
	fill_pages(m, 1024, 5);
	check_pages(m, 0, 1024, 5);
	/* Locked, it is there. */
	OK(munmap(m, 2 * HUGE_SIZE));
	m = huge_region(2);
	OK(mlock(m + 4096, HUGE_SIZE));
	CHECK(smaps_row(m + 4096, "Locked") >= 2048);
	OK(munlock(m, 2 * HUGE_SIZE));
	check_zeros(m, 1024);
	OK(munmap(m, 2 * HUGE_SIZE));
	return 0;
}
