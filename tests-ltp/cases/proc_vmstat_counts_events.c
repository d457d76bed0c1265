/* What happens to memory is counted in /proc/vmstat: faults, pages given out and given back, a victim of the OOM killer. */
#include "nos_test.h"
#include <sys/resource.h>

#define PAGES 4096l

/* The sum of the counters whose name begins so: pages are counted by the kind of memory that they are. */
static long long count(const char *name)
{
	long long sum = 0;
	int found = 0;
	for (char *line = test_read_file("/proc/vmstat"); *line; line = strchr(line, '\n') + 1) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		found = 1;
		sum += strtoll(strchr(line, ' '), NULL, 10);
	}
	if (!found)
		FAIL("there is no %s", name);
	return sum;
}

/* `actual` is `expected` or nearly so, and not much more: others are at work, too, and pages may be held back for a while. */
static void about(const char *what, long long actual, long long expected)
{
	if (actual < expected - 64 || actual > expected + PAGES / 2)
		FAIL("%s: %lld, not %lld or a little more", what, actual, expected);
}

static long long own_faults(void)
{
	struct rusage usage;
	OK(getrusage(RUSAGE_SELF, &usage));
	CHECK_EQ(usage.ru_majflt, 0);
	return usage.ru_minflt;
}

static char *map(int flags)
{
	char *memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

int main(void)
{
	static const char *const names[] = { "pgfault ", "pgmajfault ", "pgalloc_normal ", "pgfree ", "oom_kill ",
					     "allocstall_normal ", "pageoutrun ", "pglazyfreed " };
	for (int i = 0; i < 8; i++)
		count(names[i]);
	/* So that the first reading itself is over. */
	long long faults = count("pgfault "), major = count("pgmajfault ");
	long long given = count("pgalloc_"), back = count("pgfree "), own = own_faults();
	char *memory = map(0);
	/* Huge pages would be too coarse a measure; Linux may be built without them. */
	madvise(memory, PAGES * 4096, MADV_NOHUGEPAGE);
	for (long page = 0; page < PAGES; page++)
		memory[page * 4096] = 1;
	about("faults", count("pgfault ") - faults, PAGES);
	about("this program's faults", own_faults() - own, PAGES);
	about("pages given out", count("pgalloc_") - given, PAGES);
	CHECK_EQ(count("pgmajfault "), major);
	back = count("pgfree ");
	OK(munmap(memory, PAGES * 4096));
	about("pages given back", count("pgfree ") - back, PAGES);
	/* What is brought in without an access counts as well. */
	OK(syscall(SYS_prctl, 41 /* PR_SET_THP_DISABLE */, 1, 0, 0, 0));
	faults = count("pgfault ");
	own = own_faults();
	memory = map(MAP_POPULATE);
	about("faults of a populated mapping", count("pgfault ") - faults, PAGES);
	about("this program's", own_faults() - own, PAGES);
	/* What is there already does not. */
	own = own_faults();
	OK(madvise(memory, PAGES * 4096, 23 /* MADV_POPULATE_WRITE */));
	CHECK(own_faults() - own < 64);
	/* A huge block counts with all of its pages. */
	OK(munmap(memory, PAGES * 4096));
	OK(syscall(SYS_prctl, 41, 0, 0, 0, 0));
	given = count("pgalloc_");
	memory = map(0);
	madvise(memory, PAGES * 4096, MADV_HUGEPAGE);
	for (long page = 0; page < PAGES; page++)
		memory[page * 4096] = 1;
	about("pages given out in blocks", count("pgalloc_") - given, PAGES);
	return 0;
}
