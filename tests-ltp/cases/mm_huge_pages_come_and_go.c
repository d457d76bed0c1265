/* Huge pages are zeroed, counted while they are there, and gone with their mapping, as a whole or in part. */
#include "nos_huge.h"

enum { COUNT = 8 };

static long anonymous(void)
{
	return row_of("/proc/self/status", "RssAnon");
}

int main(void)
{
	char *m = huge_region(COUNT);
	want_huge(m);
	OK(munmap(m, COUNT * HUGE_SIZE));
	test_read_file("/proc/self/smaps");
	long before = anonymous();

	m = huge_region(COUNT);
	for (int i = 0; i < COUNT; i++)
		m[i * HUGE_SIZE + 12345] = 7;
	long huge = huge_at(m);
	CHECK(huge > 0);
	CHECK(row_of("/proc/meminfo", "AnonHugePages") >= huge);
	CHECK_EQ(smaps_row(m, "Rss"), smaps_row(m, "Anonymous"));
	CHECK_EQ(smaps_row(m, "Private_Dirty"), smaps_row(m, "Rss"));
	CHECK_EQ(smaps_row(m, "THPeligible"), 1);
	CHECK(anonymous() - before >= huge - 512);
	for (int i = 0; i < COUNT; i++) {
		CHECK_EQ(m[i * HUGE_SIZE + 12345], 7);
		m[i * HUGE_SIZE + 12345] = 0;
	}
	check_zeros(m, COUNT * 512);
	fill_pages(m, COUNT * 512, 1);
	unsigned char resident[512];
	OK(mincore(m, HUGE_SIZE, resident));
	for (int i = 0; i < 512; i++)
		CHECK_EQ(resident[i] & 1, 1);

	/* A whole one is given up; the next touch finds zeros, and a huge page again. */
	OK(madvise(m + HUGE_SIZE, HUGE_SIZE, MADV_DONTNEED));
	CHECK_EQ(huge_at(m), huge - 2048);
	check_zeros(m + HUGE_SIZE, 512);
	check_pages(m, 0, 512, 1);
	check_pages(m + 2 * HUGE_SIZE, 1024, 1024, 1);
	/* What was only read is not one's own. */
	CHECK_EQ(huge_at(m), huge - 2048);
	CHECK_EQ(smaps_row(m, "Rss"), COUNT * 2048 - 2048);
	m[HUGE_SIZE + 4096 * 100] = 5;
	CHECK_EQ(m[HUGE_SIZE + 4096 * 100], 5);
	m[HUGE_SIZE + 4096 * 100] = 0;
	check_zeros(m + HUGE_SIZE, 512);

	/* A part is given up. */
	OK(madvise(m + 4096 * 10, 4096 * 5, MADV_DONTNEED));
	check_pages(m, 0, 10, 1);
	check_zeros(m + 4096 * 10, 5);
	check_pages(m + 4096 * 15, 15, 512 - 15, 1);

	OK(munmap(m, COUNT * HUGE_SIZE));
	test_read_file("/proc/self/smaps");
	long after = anonymous();
	CHECK(after - before < 256 && before - after < 256);
	return 0;
}
