/* khugepaged makes huge pages of small ones where the settings allow it, within its limits, and keeps the content. */
#include "nos_huge.h"

static long number(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, THP "khugepaged/%s", name);
	return atol(test_read_file(path));
}

static int has(const char *at, long kib, int millis)
{
	for (int64_t end = test_now() + millis * 1000LL; huge_at(at) != kib; usleep(10000))
		if (test_now() > end)
			return 0;
	return 1;
}

/* It has time enough. */
static void becomes(const char *at, long kib)
{
	if (!has(at, kib, 5000))
		FAIL("%ld KiB in huge pages, not %ld; passes: %ld", huge_at(at), kib, number("full_scans"));
}

static void stays_small(const char *at)
{
	if (has(at, 2048, 300))
		FAIL("a huge page came");
}

static char *small_pages(int count)
{
	char *m = huge_region(count);
	thp_set("enabled", "never");
	fill_pages(m, count * 512, 1);
	CHECK_EQ(huge_at(m), 0);
	return m;
}

static void by_setting(void)
{
	char *wanted = small_pages(2), *plain = small_pages(1), *refused = small_pages(1);
	CHECK(mmap(plain, HUGE_SIZE, RW, PRIVATE | MAP_FIXED, -1, 0) == plain);
	fill_pages(plain, 512, 1);
	OK(madvise(refused, HUGE_SIZE, MADV_NOHUGEPAGE));
	long collapsed = number("pages_collapsed"), passes = number("full_scans");
	stays_small(wanted);
	thp_set("enabled", "madvise");
	becomes(wanted, 4096);
	CHECK_EQ(huge_at(plain), 0);
	thp_set("enabled", "always");
	becomes(plain, 2048);
	CHECK_EQ(huge_at(refused), 0);
	check_pages(wanted, 0, 1024, 1);
	check_pages(plain, 0, 512, 1);
	check_pages(refused, 0, 512, 1);
	CHECK(number("pages_collapsed") >= collapsed + 3);
	CHECK(number("full_scans") > passes);
	/* Advice alone is reason enough. */
	OK(madvise(refused, HUGE_SIZE, MADV_HUGEPAGE));
	becomes(refused, 2048);
	/* So is a split. */
	OK(madvise(wanted + 4096 * 5, 4096, MADV_DONTNEED));
	becomes(wanted, 4096);
	check_pages(wanted, 0, 5, 1);
	check_zeros(wanted + 4096 * 5, 1);
	check_pages(wanted + 4096 * 6, 6, 1018, 1);
}

static void by_limits(void)
{
	char *none = thp_get("khugepaged/max_ptes_none"), *shared = thp_get("khugepaged/max_ptes_shared");
	thp_set("khugepaged/max_ptes_none", "1");
	char *m = huge_region(1);
	thp_set("enabled", "never");
	fill_pages(m, 510, 1);
	long exceeded = row_of("/proc/vmstat", "thp_scan_exceed_none_pte");
	thp_set("enabled", "always");
	stays_small(m);
	CHECK(row_of("/proc/vmstat", "thp_scan_exceed_none_pte") > exceeded);
	fill_pages(m + 4096 * 510, 1, 1);
	becomes(m, 2048);
	check_pages(m, 0, 510, 1);
	thp_set("khugepaged/max_ptes_none", none);

	m = small_pages(1);
	thp_set("khugepaged/max_ptes_shared", "100");
	CHILD(
		fill_pages(m, 411, 2);
		thp_set("enabled", "always");
		stays_small(m);
		thp_set("enabled", "never");
		fill_pages(m + 4096 * 411, 1, 3);
		thp_set("enabled", "always");
		becomes(m, 2048);
		check_pages(m, 0, 411, 2);
		check_pages(m + 4096 * 412, 412, 100, 1));
	check_pages(m, 0, 512, 1);
	thp_set("khugepaged/max_ptes_shared", shared);
}

/* A heap that grows bit by bit has no huge pages at first. */
static void growing(void)
{
	thp_set("enabled", "always");
	char *heap = sbrk(0), *end = heap + 4 * HUGE_SIZE;
	for (char *at = heap; at < end; at += 1 << 16) {
		CHECK_EQ(syscall(SYS_brk, at + (1 << 16)), at + (1 << 16));
		memset(at, 0x5a, 1 << 16);
	}
	char *first = (char *)(((uintptr_t)heap + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	becomes(first, ((uintptr_t)end & ~(HUGE_SIZE - 1)) / 1024 - (uintptr_t)first / 1024);
	for (char *at = heap; at < end; at++)
		CHECK_EQ(*at, 0x5a);
}

/* A child's memory is looked at as its parent's. */
static void inherited(void)
{
	char *m = small_pages(1);
	CHILD(
		fill_pages(m, 512, 2);
		thp_set("enabled", "always");
		becomes(m, 2048);
		check_pages(m, 0, 512, 2));
	/* Linux, too, wants one page that may be written. */
	fill_pages(m, 1, 1);
	becomes(m, 2048);
	check_pages(m, 0, 512, 1);
}

int main(void)
{
	static const char *const NAMES[] = { "enabled", "khugepaged/scan_sleep_millisecs", "khugepaged/alloc_sleep_millisecs" };
	char *before[3];
	for (int i = 0; i < 3; i++)
		before[i] = thp_get(NAMES[i]);
	char *m = huge_region(1);
	thp_set("enabled", "always");
	want_huge(m);
	thp_set("khugepaged/scan_sleep_millisecs", "10");
	thp_set("khugepaged/alloc_sleep_millisecs", "10");
	by_setting();
	by_limits();
	growing();
	inherited();
	for (int i = 0; i < 3; i++)
		thp_set(NAMES[i], before[i]);
	return 0;
}
