/* /proc/<pid>/smaps and smaps_rollup: which pages are in memory, whose they are, and the flags of a mapping. */
#include "nos_test.h"
#include <sys/resource.h>

#define PAGE 4096

static char text[1 << 18];

static void slurp(const char *path)
{
	int fd = (int)OK(open(path, O_RDONLY));
	size_t len = 0;
	for (long got; (got = OK(read(fd, text + len, sizeof text - 1 - len))) > 0; len += (size_t)got)
		;
	close(fd);
	text[len] = 0;
}

/* The block of the mapping at an address: from its header's end. */
static const char *block(void *address)
{
	char begin[32];
	slurp("/proc/self/smaps");
	snprintf(begin, sizeof begin, "%08lx-", (unsigned long)address);
	const char *at = strstr(text, begin);
	if (!at)
		FAIL("no mapping at %p", address);
	return strchr(at, '\n') + 1;
}

static long value(const char *block, const char *name)
{
	char label[32];
	unsigned long kilobytes;
	char end = 0;
	snprintf(label, sizeof label, "\n%s:", name);
	const char *at = strstr(block - 1, label);
	if (!at)
		FAIL("no %s", name);
	/* The number ends in column 24. */
	CHECK_EQ(strchr(at + 1, '\n') - (at + 1), 27);
	CHECK_EQ(sscanf(at + strlen(label), "%lu k%c", &kilobytes, &end), 2);
	CHECK_EQ(end, 'B');
	return (long)kilobytes;
}

static int has_flag(void *address, const char *flag)
{
	char wanted[8], *flags = strstr(block(address), "VmFlags:");
	snprintf(wanted, sizeof wanted, " %s ", flag);
	*strchr(flags, '\n') = 0;
	return strstr(flags, wanted) != 0;
}

/* Every block has these lines in this order; newer kernels and other machines have more between them. */
static void check_order(const char *block, const char *const *names)
{
	for (; *names; names++) {
		char label[32];
		snprintf(label, sizeof label, "\n%s:", *names);
		const char *next = strstr(block - 1, label);
		if (!next)
			FAIL("no %s in its place", *names);
		block = next + 1;
	}
}

static void *map(size_t pages, int flags, int fd)
{
	/* Between guards, so that nothing merges. */
	char *m = mmap(0, (pages + 2) * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	CHECK(mmap(m + PAGE, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == m + PAGE);
	return m + PAGE;
}

static void anonymous(void)
{
	char *p = map(8, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	const char *b = block(p);
	CHECK_EQ(value(b, "Size"), 32);
	CHECK_EQ(value(b, "KernelPageSize"), 4);
	CHECK_EQ(value(b, "MMUPageSize"), 4);
	CHECK_EQ(value(b, "Rss"), 0);
	/* The page of zeros is nobody's. */
	CHECK_EQ(((volatile char *)p)[7 * PAGE], 0);
	CHECK_EQ(value(block(p), "Rss"), 0);
	p[0] = p[PAGE] = p[2 * PAGE] = 1;
	b = block(p);
	CHECK_EQ(value(b, "Rss"), 12);
	CHECK_EQ(value(b, "Pss"), 12);
	CHECK_EQ(value(b, "Pss_Dirty"), 12);
	CHECK_EQ(value(b, "Private_Dirty"), 12);
	CHECK_EQ(value(b, "Private_Clean"), 0);
	CHECK_EQ(value(b, "Shared_Dirty"), 0);
	CHECK_EQ(value(b, "Anonymous"), 12);
	CHECK_EQ(value(b, "Referenced"), 12);
	CHECK_EQ(value(b, "Locked"), 0);
	CHECK_EQ(value(b, "Swap"), 0);
	CHECK(has_flag(p, "rd") && has_flag(p, "wr") && has_flag(p, "mr") && has_flag(p, "mw") && has_flag(p, "me"));
	CHECK(has_flag(p, "ac") && has_flag(p, "sd"));
	CHECK(!has_flag(p, "ex") && !has_flag(p, "sh") && !has_flag(p, "lo") && !has_flag(p, "gd"));

	/* Protection does not take pages away. */
	OK(mprotect(p, 8 * PAGE, PROT_NONE));
	b = block(p);
	CHECK_EQ(value(b, "Rss"), 12);
	CHECK(!has_flag(p, "rd"));
	OK(mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE));

	/* A child shares them, each counts for half; one that it writes is its own. */
	int go[2], done[2];
	OK(pipe(go));
	OK(pipe(done));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char c;
		p[0] = 2;
		CHECK_EQ(write(done[1], "x", 1), 1);
		CHECK_EQ(read(go[0], &c, 1), 1);
		_exit(0);
	}
	char c;
	CHECK_EQ(read(done[0], &c, 1), 1);
	b = block(p);
	CHECK_EQ(value(b, "Rss"), 12);
	CHECK_EQ(value(b, "Pss"), 8);
	CHECK_EQ(value(b, "Shared_Dirty"), 8);
	CHECK_EQ(value(b, "Private_Dirty"), 4);
	CHECK_EQ(value(b, "Anonymous"), 12);
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(value(block(p), "Pss"), 12);

	OK(madvise(p, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(value(block(p), "Rss"), 4);
	OK(madvise(p, 8 * PAGE, MADV_DONTFORK));
	OK(madvise(p, 8 * PAGE, MADV_DONTDUMP));
	OK(madvise(p, 8 * PAGE, MADV_WIPEONFORK));
	OK(madvise(p, 8 * PAGE, MADV_SEQUENTIAL));
	CHECK(has_flag(p, "dc") && has_flag(p, "dd") && has_flag(p, "wf") && has_flag(p, "sr"));
	OK(madvise(p, 8 * PAGE, MADV_RANDOM));
	CHECK(has_flag(p, "rr") && !has_flag(p, "sr"));
	CHECK(has_flag(map(1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1), "nr"));
	CHECK(has_flag(map(1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1), "gd"));
}

static void locked(void)
{
	char *p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	OK(mlock(p, 4 * PAGE));
	const char *b = block(p);
	CHECK_EQ(value(b, "Rss"), 16);
	CHECK_EQ(value(b, "Locked"), 16);
	CHECK(has_flag(p, "lo") && !has_flag(p, "lf"));
	OK(munlock(p, 4 * PAGE));
	CHECK_EQ(value(block(p), "Locked"), 0);
	CHECK(!has_flag(p, "lo"));
	p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	OK(syscall(SYS_mlock2, p, 4 * PAGE, 1));
	p[0] = 1;
	b = block(p);
	CHECK_EQ(value(b, "Rss"), 4);
	CHECK_EQ(value(b, "Locked"), 4);
	CHECK(has_flag(p, "lo") && has_flag(p, "lf"));
}

static void files(void)
{
	int fd = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	static char page[PAGE] = "data";
	for (int i = 0; i < 4; i++)
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	char *private = map(4, MAP_PRIVATE, fd), *shared = map(4, MAP_SHARED, fd);
	volatile char sink;
	for (int i = 0; i < 4; i++)
		sink = private[i * PAGE];
	const char *b = block(private);
	CHECK_EQ(value(b, "Rss"), 16);
	CHECK_EQ(value(b, "Pss"), 16);
	CHECK_EQ(value(b, "Anonymous"), 0);
	CHECK_EQ(value(b, "Private_Clean") + value(b, "Private_Dirty"), 16);
	for (int i = 0; i < 4; i++)
		sink = shared[i * PAGE];
	(void)sink;
	b = block(shared);
	CHECK_EQ(value(b, "Rss"), 16);
	CHECK_EQ(value(b, "Pss"), 8);
	CHECK_EQ(value(b, "Shared_Clean") + value(b, "Shared_Dirty"), 16);
	/* A copy is the process's own. */
	private[0] = 1;
	b = block(private);
	CHECK_EQ(value(b, "Anonymous"), 4);
	CHECK_EQ(value(b, "Private_Dirty"), 4);
	CHECK_EQ(value(b, "Pss"), 10);
	CHECK(has_flag(shared, "sh") && has_flag(shared, "ms") && has_flag(shared, "mw"));
	int reader = (int)OK(open("file", O_RDONLY));
	char *m = mmap(0, PAGE, PROT_READ, MAP_SHARED, reader, 0);
	CHECK(m != MAP_FAILED);
	CHECK(!has_flag(m, "sh") && has_flag(m, "ms") && !has_flag(m, "mw"));
}

int main(void)
{
	static const char *const order[] = { "Size", "KernelPageSize", "MMUPageSize", "Rss", "Pss", "Pss_Dirty",
		"Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced", "Anonymous", "LazyFree",
		"AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss",
		"Locked", "THPeligible", "VmFlags", 0 };
	static const char *const rollup[] = { "Rss", "Pss", "Pss_Dirty", "Pss_Anon", "Pss_File", "Pss_Shmem",
		"Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced", "Anonymous", "LazyFree",
		"AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss",
		"Locked", 0 };
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	OK(setrlimit(RLIMIT_MEMLOCK, &limit));
	/* All of the text is there from now on. */
	memset(text, 1, sizeof text);
	anonymous();
	locked();
	files();

	slurp("/proc/self/smaps");
	check_order(strchr(text, '\n') + 1, order);
	long sum = 0;
	for (char *at = text; (at = strstr(at, "\nRss:")); at++)
		sum += atol(at + 5);
	slurp("/proc/self/smaps_rollup");
	char *first = strchr(text, '\n') + 1;
	check_order(first, rollup);
	CHECK_EQ(value(first, "Rss"), sum);
	CHECK(!strncmp(first - 9, "[rollup]\n", 9));
	CHECK_EQ(first - 9 - text, 73);
	CHECK(strstr(text, " ---p 00000000 00:00 0 "));
	return 0;
}
