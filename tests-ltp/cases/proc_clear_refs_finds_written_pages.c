/* /proc/<pid>/clear_refs: its numbers, and the marks of written pages that it clears. */
#include "nos_test.h"

#define PAGE 4096UL
#define SOFT_DIRTY (1ULL << 55)

static int pagemap;

static int written(volatile void *address)
{
	unsigned long long word;
	CHECK_EQ(pread(pagemap, &word, 8, (off_t)((unsigned long)address / PAGE * 8)), 8);
	return (word & SOFT_DIRTY) != 0;
}

static void clear(const char *number)
{
	int fd = (int)OK(open("/proc/self/clear_refs", O_WRONLY));
	CHECK_EQ(write(fd, number, strlen(number)), (long)strlen(number));
	close(fd);
}

static char text[1 << 18];

/* A figure of the mapping at an address, or of status. */
static long figure(const char *path, volatile void *address, const char *name)
{
	char begin[32] = "";
	int fd = (int)OK(open(path, O_RDONLY));
	size_t len = 0;
	for (long got; (got = OK(read(fd, text + len, sizeof text - 1 - len))) > 0; len += (size_t)got)
		;
	close(fd);
	text[len] = 0;
	if (address)
		snprintf(begin, sizeof begin, "%08lx-", (unsigned long)address);
	char *at = strstr(text, begin);
	at = at ? strstr(at, name) : 0;
	if (!at)
		FAIL("no %s", name);
	return atol(at + strlen(name));
}

static long referenced(volatile void *address)
{
	return figure("/proc/self/smaps", address, "Referenced:");
}

static volatile char *map(size_t pages, int flags, int fd)
{
	volatile char *m = mmap(0, (pages + 2) * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	m += PAGE;
	CHECK(mmap((void *)m, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == m);
	return m;
}

int main(void)
{
	memset(text, 1, sizeof text);
	pagemap = (int)OK(open("/proc/self/pagemap", O_RDONLY));
	int file = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	OK(ftruncate(file, 16 * PAGE));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(pwrite(file, "x", 1, i * (long)PAGE), 1);

	int fd = (int)OK(open("/proc/self/clear_refs", O_WRONLY));
	CHECK_ERRNO(write(fd, "0", 1), EINVAL);
	CHECK_ERRNO(write(fd, "6", 1), EINVAL);
	CHECK_ERRNO(write(fd, "-1", 2), EINVAL);
	CHECK_ERRNO(write(fd, "x", 1), EINVAL);
	CHECK_EQ(write(fd, "4\n", 2), 2);
	CHECK_EQ(write(fd, " 4 ", 3), 3);
	close(fd);
	CHECK_ERRNO(open("/proc/self/clear_refs/", O_WRONLY), ENOTDIR);

	/* What was used: all, private memory, files. */
	volatile char *p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1), *f = map(4, MAP_SHARED, file);
	for (int i = 0; i < 4; i++)
		p[i * PAGE] = f[i * PAGE];
	CHECK_EQ(referenced(p), 16);
	CHECK_EQ(referenced(f), 16);
	clear("1");
	CHECK_EQ(referenced(p), 0);
	CHECK_EQ(referenced(f), 0);
	for (int i = 0; i < 4; i++)
		p[i * PAGE] = f[i * PAGE];
	clear("2");
	CHECK_EQ(referenced(p), 0);
	for (int i = 0; i < 4; i++)
		p[i * PAGE] = f[i * PAGE];
	clear("3");
	CHECK_EQ(referenced(f), 0);
	CHECK_EQ(figure("/proc/self/smaps", p, "Rss:"), 16);

	/* What was written. New mappings count as written until the marks are cleared. */
	volatile char *fresh = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	CHECK(written(fresh) && written(fresh + 3 * PAGE));
	clear("4");
	CHECK(!written(fresh) && !written(p) && !written(f));
	CHECK(fresh[0] == 0 && !written(fresh));
	CHECK(f[0] == 'x' && !written(f));
	/* Pages that come by reading, of a mapping that may be written: the first write is seen. */
	volatile char *later = map(4, MAP_SHARED, file);
	clear("4");
	CHECK(later[PAGE] == 'x' && !written(later + PAGE));
	later[PAGE] = 'y';
	CHECK(written(later + PAGE) && !written(later));
	CHECK(!written(f + PAGE));
	p[PAGE] = 1;
	CHECK(!written(p) && written(p + PAGE) && !written(p + 2 * PAGE));
	fresh[2 * PAGE] = 1;
	CHECK(!written(fresh) && written(fresh + 2 * PAGE));
	clear("4");
	CHECK(!written(p + PAGE) && !written(later + PAGE) && !written(fresh + 2 * PAGE));

	/* mprotect is no write, and does not hide the next one. */
	OK(mprotect((void *)p, 4 * PAGE, PROT_READ));
	OK(mprotect((void *)f, 4 * PAGE, PROT_READ));
	CHECK(!written(p) && !written(f));
	OK(mprotect((void *)p, 4 * PAGE, PROT_READ | PROT_WRITE));
	OK(mprotect((void *)f, 4 * PAGE, PROT_READ | PROT_WRITE));
	CHECK(!written(p) && !written(f));
	p[0] = 2;
	f[0] = 'z';
	CHECK(written(p) && written(f) && !written(p + PAGE) && !written(f + PAGE));

	/* The kernel's writes count. */
	clear("4");
	CHECK_EQ(pread(file, (void *)(p + 3 * PAGE), 1, 0), 1);
	CHECK(written(p + 3 * PAGE) && !written(p));

	/* A child sees what its parent had, and marks of its own. */
	CHILD({
		close(pagemap);
		pagemap = (int)OK(open("/proc/self/pagemap", O_RDONLY));
		CHECK(written(p + 3 * PAGE) && !written(p + PAGE));
		p[PAGE] = 3;
		CHECK(written(p + PAGE));
		clear("4");
		CHECK(!written(p + 3 * PAGE));
	});
	CHECK(written(p + 3 * PAGE) && !written(p + PAGE));
	p[2 * PAGE] = 4;
	CHECK(written(p + 2 * PAGE));

	/* What was moved is new where it is now. */
	clear("4");
	volatile char *moved = mremap((void *)fresh, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				      (void *)map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	CHECK(moved != MAP_FAILED);
	CHECK(written(moved + 2 * PAGE));

	/* Neighbours are one mapping whether they count as written or not. */
	volatile char *one = map(2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	OK(munmap((void *)(one + PAGE), PAGE));
	clear("4");
	CHECK(mmap((void *)(one + PAGE), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == one + PAGE);
	CHECK_EQ(figure("/proc/self/smaps", one, "Size:"), 8);
	CHECK(written(one + PAGE));

	/* The peak of resident memory begins anew. */
	char *big = mmap(0, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(big != MAP_FAILED);
	memset(big, 1, 256 * PAGE);
	OK(munmap(big, 256 * PAGE));
	long peak = figure("/proc/self/status", 0, "VmHWM:"), now = figure("/proc/self/status", 0, "VmRSS:");
	CHECK(peak - now >= 512);
	clear("5");
	peak = figure("/proc/self/status", 0, "VmHWM:");
	now = figure("/proc/self/status", 0, "VmRSS:");
	CHECK(peak - now < 512);
	return 0;
}
