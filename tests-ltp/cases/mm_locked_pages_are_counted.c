/* Mlocked and Unevictable of /proc/meminfo, and the counters of /proc/vmstat: pages count as they become resident in locked mappings, each once. */
#include "nos_test.h"

#define PAGE 4096l
#define PAGES 4096l
#define SIZE (PAGES * PAGE)
/* Linux collects some pages on each CPU before it counts them. */
#define SLACK 300

static long long after(const char *file, const char *label)
{
	char *at = strstr(test_read_file(file), label);
	if (!at)
		FAIL("no %s in %s", label, file);
	return strtoll(at + strlen(label), NULL, 10);
}

static long long base, unevictable_base;

static void near(int line, const char *what, long long actual, long long expected)
{
	if (llabs(actual - expected) > SLACK)
		FAIL("line %d: %s is %lld pages, not %lld", line, what, actual, expected);
}

/* Linux has each CPU's part of the counts added up when this is read. */
static void settle(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY);
	char text[16];
	if (fd >= 0) {
		if (read(fd, text, sizeof text) < 0)
			errno = 0;
		close(fd);
	}
}

#define CHECK_LOCKED(pages) \
	do { \
		settle(); \
		near(__LINE__, "Mlocked", after("/proc/meminfo", "\nMlocked:") / 4 - base, pages); \
		near(__LINE__, "nr_mlock", after("/proc/vmstat", "\nnr_mlock ") - base, pages); \
		near(__LINE__, "Unevictable", after("/proc/meminfo", "\nUnevictable:") / 4 - unevictable_base, pages); \
		near(__LINE__, "nr_unevictable", after("/proc/vmstat", "\nnr_unevictable ") - unevictable_base, pages); \
	} while (0)

static char *map(long size, int flags, int fd)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

static void touch(char *memory, long pages)
{
	for (long page = 0; page < pages; page++)
		memory[page * PAGE]++;
}

static void small_pages(char *memory, long size)
{
	madvise(memory, size, MADV_NOHUGEPAGE);
}

static void private_memory(void)
{
	char *memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	small_pages(memory, SIZE);
	touch(memory, PAGES / 2);
	CHECK_LOCKED(0);
	long long locked = after("/proc/vmstat", "\nunevictable_pgs_mlocked ");
	long long unlocked = after("/proc/vmstat", "\nunevictable_pgs_munlocked ");
	OK(mlock(memory, SIZE));
	CHECK_LOCKED(PAGES);
	/* Locking twice is locking once. */
	OK(mlock(memory, SIZE / 2));
	CHECK_LOCKED(PAGES);
	near(__LINE__, "mlocked", after("/proc/vmstat", "\nunevictable_pgs_mlocked ") - locked, PAGES);
	OK(munlock(memory, SIZE / 4));
	CHECK_LOCKED(PAGES * 3 / 4);
	near(__LINE__, "munlocked", after("/proc/vmstat", "\nunevictable_pgs_munlocked ") - unlocked, PAGES / 4);
	/* It moves with its pages. */
	char *target = map(2 * SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *moved = mremap(memory + SIZE / 2, SIZE / 2, SIZE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	CHECK(moved == target);
	CHECK_LOCKED(PAGES * 3 / 4);
	/* What it grows by is locked. */
	OK(munmap(target + SIZE / 2, 2 * SIZE - SIZE / 2));
	moved = mremap(target, SIZE / 2, SIZE, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED);
	CHECK_LOCKED(PAGES * 5 / 4);
	OK(madvise(moved, SIZE / 2, 24 /* MADV_DONTNEED_LOCKED */));
	CHECK_LOCKED(PAGES * 3 / 4);
	touch(moved, PAGES / 2);
	CHECK_LOCKED(PAGES * 5 / 4);
	/* A mapping over it takes it away. */
	CHECK(mmap(moved, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == moved);
	CHECK_LOCKED(PAGES / 4);
	OK(munmap(moved, SIZE));
	OK(munmap(memory, SIZE / 2));
	CHECK_LOCKED(0);
}

static void when_touched(void)
{
	char *memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	small_pages(memory, SIZE);
	OK(syscall(SYS_mlock2, memory, SIZE, 1 /* MLOCK_ONFAULT */));
	CHECK_LOCKED(0);
	touch(memory, PAGES / 2);
	CHECK_LOCKED(PAGES / 2);
	/* Pages of zeros do not count. */
	long sum = 0;
	for (long page = PAGES / 2; page < PAGES; page++)
		sum += memory[page * PAGE];
	CHECK_EQ(sum, 0);
	CHECK_LOCKED(PAGES / 2);
	touch(memory, PAGES);
	CHECK_LOCKED(PAGES);
	/* A child's memory is not locked; what its parent writes is a locked copy. */
	int go[2], ready[2];
	OK(pipe(go));
	OK(pipe(ready));
	char byte = 0;
	pid_t child = OK(fork());
	if (child == 0) {
		touch(memory, PAGES / 4);
		CHECK_EQ(write(ready[1], &byte, 1), 1);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_LOCKED(PAGES);
	touch(memory, PAGES);
	CHECK_LOCKED(PAGES);
	CHECK_EQ(write(go[1], &byte, 1), 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_LOCKED(PAGES);
	OK(munmap(memory, SIZE));
	CHECK_LOCKED(0);
}

static void shared_memory(void)
{
	int fd = OK(memfd_create("locked", 0));
	OK(ftruncate(fd, SIZE));
	char *one = map(SIZE, MAP_SHARED, fd), *two = map(SIZE, MAP_SHARED, fd);
	OK(mlock(one, SIZE));
	CHECK_LOCKED(PAGES);
	OK(mlock(two, SIZE));
	CHECK_LOCKED(PAGES);
	OK(ftruncate(fd, SIZE / 2));
	CHECK_LOCKED(PAGES / 2);
	OK(munlock(one, SIZE));
	OK(munmap(two, SIZE));
	CHECK_LOCKED(0);
	/* Copies of its pages are private memory. */
	two = map(SIZE / 2, MAP_PRIVATE, fd);
	OK(mlock(two, SIZE / 2));
	CHECK_LOCKED(PAGES / 2);
	/* A hole takes pages, not copies. */
	OK(fallocate(fd, 1 | 2 /* KEEP_SIZE, PUNCH_HOLE */, 0, SIZE / 2));
	CHECK_LOCKED(PAGES / 2);
	OK(munmap(two, SIZE / 2));
	OK(munmap(one, SIZE));
	OK(close(fd));
	CHECK_LOCKED(0);
}

static void huge_pages(void)
{
	char *memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(memory, SIZE, MADV_HUGEPAGE);
	touch(memory, PAGES);
	OK(mlock(memory, SIZE));
	CHECK_LOCKED(PAGES);
	/* Splits one of them. */
	OK(mprotect(memory + SIZE / 2 + PAGE, PAGE, PROT_READ));
	CHECK_LOCKED(PAGES);
	OK(munlock(memory, SIZE));
	CHECK_LOCKED(0);
	OK(munmap(memory, SIZE));
	memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1);
	CHECK_LOCKED(PAGES);
	OK(munmap(memory, SIZE));
	CHECK_LOCKED(0);
}

int main(void)
{
	settle();
	base = after("/proc/vmstat", "\nnr_mlock ");
	unevictable_base = after("/proc/vmstat", "\nnr_unevictable ");
	private_memory();
	when_touched();
	shared_memory();
	huge_pages();
	/* A process that ends gives all up, at once or bit by bit. */
	CHILD({
		char *memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		touch(memory, PAGES / 2);
		OK(mlockall(MCL_CURRENT | MCL_FUTURE));
		char *more = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		OK(munmap(more, SIZE / 2));
		/* Beside what a small program has. */
		long long locked = after("/proc/vmstat", "\nnr_mlock ") - base;
		CHECK(locked > PAGES * 3 / 2 - SLACK && locked < PAGES * 2);
	});
	CHECK_LOCKED(0);
	CHILD({
		OK(mlockall(MCL_CURRENT | MCL_FUTURE | 4 /* MCL_ONFAULT */));
		char *memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		small_pages(memory, SIZE);
		touch(memory, PAGES / 2);
		CHECK_LOCKED(PAGES / 2);
		OK(munlockall());
		CHECK_LOCKED(0);
	});
	CHECK_LOCKED(0);
	return 0;
}
