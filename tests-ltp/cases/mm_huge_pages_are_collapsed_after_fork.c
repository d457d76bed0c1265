/* MADV_COLLAPSE of pages that parent and child share gives the one that asks pages of its own, and leaves the other's. */
#include "nos_huge.h"

int main(void)
{
	char *before = thp_get("enabled");
	thp_set("enabled", "never");
	char *m = huge_region(2);
	fill_pages(m, 1024, 1);

	/* The child asks, and writes. */
	CHILD(
		/* None of the pages may be written. */
		CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
		fill_pages(m, 1, 2);
		OK(collapse(m, HUGE_SIZE));
		CHECK_EQ(huge_at(m), 2048);
		check_pages(m, 0, 1, 2);
		check_pages(m + 4096, 1, 1023, 1);
		fill_pages(m, 1024, 3);
		check_pages(m, 0, 1024, 3));
	CHECK_EQ(huge_at(m), 0);
	check_pages(m, 0, 1024, 1);

	/* The parent asks while the child lives. */
	int go[2], done[2];
	char byte = 0;
	OK(pipe(go));
	OK(pipe(done));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_EQ(read(go[0], &byte, 1), 1);
		check_pages(m, 0, 1024, 1);
		CHECK_EQ(huge_at(m), 0);
		fill_pages(m, 1024, 4);
		OK(collapse(m, 2 * HUGE_SIZE));
		CHECK_EQ(huge_at(m), 4096);
		CHECK_EQ(write(done[1], &byte, 1), 1);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		check_pages(m, 0, 1024, 4);
		_exit(0);
	}
	fill_pages(m + 4096 * 511, 2, 5);
	OK(collapse(m, 2 * HUGE_SIZE));
	CHECK_EQ(huge_at(m), 4096);
	check_pages(m, 0, 511, 1);
	check_pages(m + 4096 * 511, 0, 2, 5);
	check_pages(m + 4096 * 513, 513, 511, 1);
	CHECK_EQ(write(go[1], &byte, 1), 1);
	CHECK_EQ(read(done[0], &byte, 1), 1);
	check_pages(m, 0, 511, 1);
	fill_pages(m, 1024, 6);
	CHECK_EQ(write(go[1], &byte, 1), 1);
	CHECK_EQ(test_wait(child), 0);
	check_pages(m, 0, 1024, 6);

	/* What was collapsed is shared as any huge page. */
	CHILD(
		check_pages(m, 0, 1024, 6);
		fill_pages(m + HUGE_SIZE, 10, 7);
		OK(collapse(m + HUGE_SIZE, HUGE_SIZE));
		check_pages(m + HUGE_SIZE, 0, 10, 7);
		check_pages(m + HUGE_SIZE + 4096 * 10, 522, 502, 6));
	CHECK_EQ(huge_at(m), 4096);
	check_pages(m, 0, 1024, 6);
	thp_set("enabled", before);
	return 0;
}
