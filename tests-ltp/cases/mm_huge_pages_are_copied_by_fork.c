/* After a fork parent and child see their own writes to huge pages, and what is wiped or left out is. */
#include "nos_huge.h"
#include <sys/uio.h>

enum { COUNT = 3 };

int main(void)
{
	char *m = huge_region(COUNT);
	want_huge(m);
	fill_pages(m, COUNT * 512, 1);
	int go[2], done[2];
	OK(pipe(go));
	OK(pipe(done));
	char byte = 0;

	/* The child writes first, then the parent. */
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		fill_pages(m + 4096 * 100, 300, 2);
		check_pages(m, 0, 100, 1);
		check_pages(m + 4096 * 400, 400, COUNT * 512 - 400, 1);
		CHECK_EQ(write(done[1], &byte, 1), 1);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		check_pages(m, 0, 100, 1);
		check_pages(m + 4096 * 100, 0, 300, 2);
		check_pages(m + 4096 * 400, 400, COUNT * 512 - 400, 1);
		_exit(0);
	}
	CHECK_EQ(read(done[0], &byte, 1), 1);
	check_pages(m, 0, COUNT * 512, 1);
	/* From elsewhere the child's own pages are seen. */
	long value;
	struct iovec here = { &value, 8 }, there = { m + 4096 * 100, 8 };
	CHECK_EQ(process_vm_readv(child, &here, 1, &there, 1, 0), 8);
	CHECK_EQ(value, 2 * 1000003L + 1);
	fill_pages(m, COUNT * 512, 3);
	CHECK_EQ(write(go[1], &byte, 1), 1);
	CHECK_EQ(test_wait(child), 0);
	check_pages(m, 0, COUNT * 512, 3);

	/* The parent writes first; what it writes later is nobody else's. */
	child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_EQ(read(go[0], &byte, 1), 1);
		check_pages(m, 0, COUNT * 512, 3);
		CHILD(fill_pages(m, COUNT * 512, 9); check_pages(m, 0, COUNT * 512, 9));
		check_pages(m, 0, COUNT * 512, 3);
		_exit(0);
	}
	*(long *)(m + HUGE_SIZE) = -1;
	CHECK_EQ(write(go[1], &byte, 1), 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(*(long *)(m + HUGE_SIZE), -1);
	*(long *)(m + HUGE_SIZE) = 3 * 1000003L + 512 + 1;
	check_pages(m, 0, COUNT * 512, 3);
	fill_pages(m, COUNT * 512, 4);
	check_pages(m, 0, COUNT * 512, 4);

	/* Parts are wiped and left out. */
	OK(munmap(m, COUNT * HUGE_SIZE));
	m = huge_region(COUNT);
	fill_pages(m, COUNT * 512, 1);
	OK(madvise(m + 4096 * 256, HUGE_SIZE, MADV_WIPEONFORK));
	OK(madvise(m + 2 * HUGE_SIZE + 4096, HUGE_SIZE - 4096, MADV_DONTFORK));
	CHILD(
		unsigned char in;
		check_pages(m, 0, 256, 1);
		check_zeros(m + 4096 * 256, 512);
		check_pages(m + 4096 * 768, 768, 257, 1);
		CHECK_ERRNO(mincore(m + 2 * HUGE_SIZE + 4096, 4096, &in), ENOMEM);
		fill_pages(m, 1025, 7);
		check_pages(m, 0, 1025, 7));
	check_pages(m, 0, COUNT * 512, 1);

	/* The kernel writes to what is shared: by read, and to another process. */
	child = (pid_t)OK(fork());
	if (child == 0) {
		int zero = (int)OK(open("/dev/zero", O_RDONLY));
		CHECK_EQ(read(zero, m + 4096 * 10 + 8, 4096 * 3), 4096 * 3);
		CHECK_EQ(*(long *)(m + 4096 * 10), 1000003L + 11);
		CHECK_EQ(*(long *)(m + 4096 * 12), 0);
		CHECK_EQ(write(done[1], &byte, 1), 1);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		CHECK_EQ(*(long *)(m + 4096 * 20), 77);
		_exit(0);
	}
	CHECK_EQ(read(done[0], &byte, 1), 1);
	value = 77;
	there.iov_base = m + 4096 * 20;
	CHECK_EQ(process_vm_writev(child, &here, 1, &there, 1, 0), 8);
	CHECK_EQ(write(go[1], &byte, 1), 1);
	CHECK_EQ(test_wait(child), 0);
	check_pages(m, 0, COUNT * 512, 1);
	return 0;
}
