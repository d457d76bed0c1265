/* MADV_COLLAPSE makes huge pages of small ones whatever the settings say, keeps the content, and tells why where it does not. */
#include "nos_huge.h"
#include <sys/prctl.h>
#include <sys/uio.h>

/* Memory in small pages, each with its content. */
static char *small_pages(int count)
{
	char *m = huge_region(count);
	fill_pages(m, count * 512, 1);
	CHECK_EQ(huge_at(m), 0);
	return m;
}

static void full(void)
{
	char *m = small_pages(2);
	long allocated = row_of("/proc/vmstat", "thp_collapse_alloc");
	OK(collapse(m, 2 * HUGE_SIZE));
	CHECK(row_of("/proc/vmstat", "thp_collapse_alloc") >= allocated + 2);
	CHECK_EQ(huge_at(m), 4096);
	CHECK_EQ(smaps_row(m, "Rss"), 4096);
	check_pages(m, 0, 1024, 1);
	/* They are there. */
	OK(collapse(m, 2 * HUGE_SIZE));
	fill_pages(m, 1024, 2);
	check_pages(m, 0, 1024, 2);
	OK(munmap(m + 4096 * 100, 4096));
	CHECK_EQ(huge_at(m), 0);
	CHECK_EQ(huge_at(m + HUGE_SIZE), 2048);
	check_pages(m, 0, 100, 2);
	check_pages(m + 4096 * 101, 101, 1024 - 101, 2);
}

static void with_holes(void)
{
	char *limit = thp_get("khugepaged/max_ptes_none");
	thp_set("khugepaged/max_ptes_none", "0");
	char *m = huge_region(1);
	for (int i = 0; i < 512; i += 3) {
		fill_pages(m + i * 4096L, 1, i);
		if (i < 511)
			CHECK_EQ(m[i * 4096L + 4096], 0);
	}
	OK(collapse(m, HUGE_SIZE));
	thp_set("khugepaged/max_ptes_none", limit);
	CHECK_EQ(huge_at(m), 2048);
	CHECK_EQ(smaps_row(m, "Rss"), 2048);
	for (int i = 0; i < 512; i++) {
		if (i % 3 == 0)
			check_pages(m + i * 4096L, 0, 1, i);
		else
			check_zeros(m + i * 4096L, 1);
	}
}

static void not_written(void)
{
	char *m = huge_region(1);
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
	check_zeros(m, 512);
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
	CHECK_EQ(huge_at(m), 0);
	m[4096 * 7] = 1;
	OK(collapse(m, HUGE_SIZE));
	CHECK_EQ(huge_at(m), 2048);
	CHECK_EQ(m[4096 * 7], 1);
	OK(madvise(m, HUGE_SIZE, MADV_DONTNEED));
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
}

static void in_parts(void)
{
	/* What was never touched ends it, what was given up does not. */
	char *m = huge_region(3);
	fill_pages(m, 512, 1);
	fill_pages(m + 2 * HUGE_SIZE, 512, 1);
	CHECK_ERRNO(collapse(m, 3 * HUGE_SIZE), EINVAL);
	CHECK_EQ(huge_at(m), 2048);
	m = small_pages(3);
	OK(madvise(m + HUGE_SIZE, HUGE_SIZE, MADV_DONTNEED));
	CHECK_ERRNO(collapse(m, 3 * HUGE_SIZE), EINVAL);
	CHECK_EQ(huge_at(m), 4096);
	check_pages(m, 0, 512, 1);
	check_zeros(m + HUGE_SIZE, 512);
	check_pages(m + 2 * HUGE_SIZE, 1024, 512, 1);

	/* Only whole huge pages. */
	m = small_pages(3);
	OK(collapse(m + 4096, 3 * HUGE_SIZE - 8192));
	CHECK_EQ(huge_at(m), 2048);
	check_pages(m, 0, 1536, 1);
	CHECK_ERRNO(collapse(m + 4096, 4096), EINVAL);
	OK(collapse(m + 4096, HUGE_SIZE));
	OK(collapse(m + HUGE_SIZE, 4096));
	OK(collapse(m, 0));
	CHECK_ERRNO(collapse(m + 1, HUGE_SIZE), EINVAL);
	CHECK_EQ(huge_at(m), 2048);

	/* Nothing mapped between. */
	m = small_pages(3);
	OK(munmap(m + HUGE_SIZE, HUGE_SIZE));
	CHECK_ERRNO(collapse(m, 3 * HUGE_SIZE), ENOMEM);
	CHECK_EQ(huge_at(m), 2048);
	CHECK_EQ(huge_at(m + 2 * HUGE_SIZE), 2048);
	CHECK_ERRNO(collapse(m + HUGE_SIZE, HUGE_SIZE), ENOMEM);

	/* No room. */
	m = small_pages(1);
	OK(munmap(m + HUGE_SIZE - 4096, 4096));
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
	CHECK_EQ(huge_at(m), 0);
	check_pages(m, 0, 511, 1);
}

static void refused(void)
{
	char *m = small_pages(1);
	OK(madvise(m, HUGE_SIZE, MADV_NOHUGEPAGE));
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
	OK(madvise(m, HUGE_SIZE, MADV_HUGEPAGE));
	OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
	OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	OK(mprotect(m, HUGE_SIZE, PROT_READ));
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
	OK(mprotect(m, HUGE_SIZE, PROT_NONE));
	CHECK_ERRNO(collapse(m, HUGE_SIZE), EINVAL);
	OK(mprotect(m, HUGE_SIZE, RW));
	CHECK_EQ(huge_at(m), 0);
	OK(collapse(m, HUGE_SIZE));
	CHECK_EQ(huge_at(m), 2048);
	check_pages(m, 0, 512, 1);
	char *stack = mmap(0, 2 * HUGE_SIZE, RW, PRIVATE | MAP_STACK, -1, 0);
	CHECK(stack != MAP_FAILED);
	memset(stack, 1, 2 * HUGE_SIZE);
	CHECK_ERRNO(collapse(stack, 2 * HUGE_SIZE), EINVAL);
}

/* What was split becomes one again. */
static void again(void)
{
	char *m = small_pages(2);
	OK(collapse(m, 2 * HUGE_SIZE));
	for (int round = 0; round < 3; round++) {
		OK(mprotect(m + 4096 * 100, 4096 * 900, PROT_READ));
		CHECK_EQ(huge_at(m), 0);
		OK(mprotect(m + 4096 * 100, 4096 * 900, RW));
		CHECK_EQ(huge_at(m), 0);
		OK(collapse(m, 2 * HUGE_SIZE));
		CHECK_EQ(huge_at(m), 4096);
		check_pages(m, 0, 1024, round + 1);
		fill_pages(m, 1024, round + 2);
	}
	OK(mlock(m, 2 * HUGE_SIZE));
	OK(munlock(m + 4096 * 7, 4096));
	OK(munlock(m, 2 * HUGE_SIZE));
	OK(madvise(m + 4096 * 10, 4096 * 10, MADV_DONTNEED));
	OK(mlock(m, 2 * HUGE_SIZE));
	OK(collapse(m, 2 * HUGE_SIZE));
	CHECK_EQ(huge_at(m), 4096);
	check_pages(m, 0, 10, 4);
	check_zeros(m + 4096 * 10, 10);
	check_pages(m + 4096 * 20, 20, 1004, 4);
	OK(munmap(m, 2 * HUGE_SIZE));
}

static void others(void)
{
	char *m = small_pages(3);
	int go[2];
	char byte;
	OK(pipe(go));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		/* The pages become its own. */
		fill_pages(m, 1536, 2);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		CHECK_EQ(huge_at(m), 4096);
		check_pages(m, 0, 1536, 2);
		_exit(0);
	}
	int pidfd = (int)OK(syscall(SYS_pidfd_open, child, 0));
	struct iovec parts[2] = { { m, HUGE_SIZE }, { m + 2 * HUGE_SIZE, HUGE_SIZE } };
	long done;
	for (int tries = 0; tries < 1000; tries++) {
		done = syscall(SYS_process_madvise, pidfd, parts, 2, MADV_COLLAPSE, 0);
		if (done == 2 * HUGE_SIZE)
			break;
		/* It has not come that far yet. */
		if (done < 0 && errno != EINVAL && errno != EAGAIN)
			FAIL("process_madvise: %s", strerror(errno));
		usleep(5000);
	}
	CHECK_EQ(done, 2 * HUGE_SIZE);
	CHECK_EQ(write(go[1], "", 1), 1);
	CHECK_EQ(test_wait(child), 0);
	check_pages(m, 0, 1536, 1);
	OK(close(pidfd));
}

int main(void)
{
	char *before = thp_get("enabled");
	thp_set("enabled", "never");
	full();
	with_holes();
	not_written();
	in_parts();
	refused();
	again();
	others();
	thp_set("enabled", before);
	return 0;
}
