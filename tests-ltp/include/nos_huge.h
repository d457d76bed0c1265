/* What the cases about huge pages share. */
#ifndef NOS_HUGE_H
#define NOS_HUGE_H

#include "nos_test.h"

#define HUGE_SIZE (2L << 20)
#define THP "/sys/kernel/mm/transparent_hugepage/"

#ifndef MADV_COLLAPSE /* musl before 1.2.5 */
#define MADV_COLLAPSE 25
#endif

enum { RW = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };

/* Maps `count` huge pages' worth of private memory that wants them, aligned, with nothing usable in the huge page below and above. */
static inline char *huge_region(int count)
{
	char *all = mmap(0, (count + 3) * HUGE_SIZE, PROT_NONE, PRIVATE, -1, 0);
	CHECK(all != MAP_FAILED);
	char *at = (char *)(((uintptr_t)all + 2 * HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	CHECK(mmap(at, count * HUGE_SIZE, RW, PRIVATE | MAP_FIXED, -1, 0) == at);
	OK(madvise(at, count * HUGE_SIZE, MADV_HUGEPAGE));
	return at;
}

/* A row of /proc/self/smaps, of the mapping that `addr` is in, in KiB. */
static inline long smaps_row(const void *addr, const char *name)
{
	char line[512];
	int here = 0;
	long value = -1;
	FILE *file = fopen("/proc/self/smaps", "r");
	CHECK(file != NULL);
	while (value < 0 && fgets(line, sizeof line, file)) {
		unsigned long start, end;
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)addr && (uintptr_t)addr < end;
		else if (here && strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = atol(line + strlen(name) + 1);
	}
	fclose(file);
	CHECK(value >= 0);
	return value;
}

/* A row of a file of names and numbers. */
static inline long row_of(const char *path, const char *name)
{
	char *text = test_read_file(path), *at = text;
	size_t length = strlen(name);
	for (; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, length) == 0 && (at[length] == ':' || at[length] == ' ' || at[length] == '\t'))
			return atol(at + length + 1 + strspn(at + length + 1, " \t"));
		if (*at == '\0')
			break;
	}
	FAIL("%s has no %s", path, name);
}

/* KiB of huge pages in the mapping that `addr` is in. */
static inline long huge_at(const void *addr)
{
	return smaps_row(addr, "AnonHugePages");
}

/* Sets one of the settings. */
static inline void thp_set(const char *name, const char *value)
{
	char path[128];
	snprintf(path, sizeof path, THP "%s", name);
	int fd = (int)OK(open(path, O_WRONLY));
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	OK(close(fd));
}

/* It must not be settable to this. */
static inline void thp_refuses(const char *name, const char *value)
{
	char path[128];
	snprintf(path, sizeof path, THP "%s", name);
	int fd = (int)OK(open(path, O_WRONLY));
	CHECK_ERRNO(write(fd, value, strlen(value)), EINVAL);
	OK(close(fd));
}

/* What a setting is, to be freed: of several names the one in brackets. */
static inline char *thp_get(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, THP "%s", name);
	char *text = test_read_file(path), *chosen = strchr(text, '[');
	return strdup(strtok(chosen ? chosen + 1 : text, "]\n"));
}

/* MADV_COLLAPSE. Linux may say that it would do next time, as pages are on their way to a list. */
static inline int collapse(char *at, long bytes)
{
	int result, tries = 0;
	do
		result = madvise(at, bytes, MADV_COLLAPSE);
	while (result < 0 && errno == EAGAIN && tries++ < 100);
	return result;
}

/* Touches the first byte, and cannot tell if no huge page came. */
static inline void want_huge(char *addr)
{
	addr[0] = 1;
	if (huge_at(addr) == 0)
		SKIP("no huge page was free");
	addr[0] = 0;
}

/* Gives each page its own content. */
static inline void fill_pages(char *at, long pages, int seed)
{
	for (long i = 0; i < pages; i++)
		*(long *)(at + i * 4096) = *(long *)(at + i * 4096 + 4088) = seed * 1000003L + i + 1;
}

/* Checks it, of pages that were filled as number `first` and on. */
static inline void check_pages(const char *at, long first, long pages, int seed)
{
	for (long i = 0; i < pages; i++) {
		long wanted = seed * 1000003L + first + i + 1;
		if (*(long *)(at + i * 4096) != wanted || *(long *)(at + i * 4096 + 4088) != wanted)
			FAIL("page %ld holds %ld and %ld, not %ld", first + i, *(long *)(at + i * 4096), *(long *)(at + i * 4096 + 4088), wanted);
	}
}

/* Checks that pages are zero. */
static inline void check_zeros(const char *at, long pages)
{
	for (long i = 0; i < pages * 512; i++)
		if (((const long *)at)[i] != 0)
			FAIL("byte %ld is not zero", i * 8);
}

#endif
