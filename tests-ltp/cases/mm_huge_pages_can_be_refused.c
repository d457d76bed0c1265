/* Huge pages come where the settings, the advice and the process allow it. */
#include "nos_huge.h"
#include <sys/prctl.h>

/* KiB of huge pages that a touch of new memory with this advice brings, and whether smaps says that it may. */
static long brings(int advice, int flags, long *eligible)
{
	char *m = huge_region(2);
	OK(munmap(m, 2 * HUGE_SIZE));
	CHECK(mmap(m, HUGE_SIZE, RW, PRIVATE | MAP_FIXED | flags, -1, 0) == m);
	if (advice)
		OK(madvise(m, HUGE_SIZE, advice));
	m[4096] = 1;
	long huge = huge_at(m);
	*eligible = smaps_row(m, "THPeligible");
	OK(munmap(m, HUGE_SIZE));
	return huge;
}

static void expect(int advice, int flags, long huge)
{
	long eligible;
	CHECK_EQ(brings(advice, flags, &eligible), huge);
	CHECK_EQ(eligible, huge != 0);
}

static void check_disabled(int yes)
{
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), yes);
	CHECK_EQ(row_of("/proc/self/status", "THP_enabled"), !yes);
	expect(MADV_HUGEPAGE, 0, yes ? 0 : 2048);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		check_disabled(argv[1][0] == '1');
		return 0;
	}
	char *before = thp_get("enabled"), *defrag = thp_get("defrag");
	CHECK_STR(test_read_file(THP "hpage_pmd_size"), "2097152\n");
	char *m = huge_region(1);
	thp_set("enabled", "always");
	want_huge(m);

	CHECK_STR(test_read_file(THP "enabled"), "[always] madvise never\n");
	expect(0, 0, 2048);
	expect(MADV_HUGEPAGE, 0, 2048);
	expect(MADV_NOHUGEPAGE, 0, 0);
	expect(0, MAP_STACK, 0);
	thp_set("enabled", "madvise\n");
	CHECK_STR(test_read_file(THP "enabled"), "always [madvise] never\n");
	expect(0, 0, 0);
	expect(MADV_HUGEPAGE, 0, 2048);
	thp_set("enabled", "never");
	CHECK_STR(test_read_file(THP "enabled"), "always madvise [never]\n");
	expect(0, 0, 0);
	expect(MADV_HUGEPAGE, 0, 0);
	thp_refuses("enabled", "sometimes");
	thp_set("enabled", "always");

	thp_set("defrag", "defer+madvise");
	CHECK_STR(test_read_file(THP "defrag"), "always defer [defer+madvise] madvise never\n");
	thp_refuses("defrag", "perhaps\n");
	thp_set("defrag", defrag);
	thp_set("use_zero_page", "0");
	CHECK_STR(test_read_file(THP "use_zero_page"), "0\n");
	thp_refuses("use_zero_page", "2");
	char *fresh = huge_region(1);
	check_zeros(fresh, 512);
	fill_pages(fresh, 512, 1);
	check_pages(fresh, 0, 512, 1);
	thp_set("use_zero_page", "1\n");
	CHECK_STR(test_read_file(THP "use_zero_page"), "1\n");

	/* A process that wants none; its children and programs neither. */
	CHECK_ERRNO(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	check_disabled(0);
	OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	check_disabled(1);
	CHILD(check_disabled(1));
	CHILD(execl("/proc/self/exe", "case", "1", NULL); _exit(1));
	OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	CHILD(execl("/proc/self/exe", "case", "0", NULL); _exit(1));
	check_disabled(0);

	/* Large mappings of whole huge pages start at one. */
	for (int i = 1; i < 4; i++) {
		char *at = mmap(0, i * HUGE_SIZE, RW, PRIVATE, -1, 0);
		CHECK(at != MAP_FAILED);
		CHECK_EQ((uintptr_t)at % HUGE_SIZE, 0);
	}
	thp_set("enabled", before);
	return 0;
}
