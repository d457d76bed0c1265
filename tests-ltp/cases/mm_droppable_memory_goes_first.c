/* MAP_DROPPABLE: memory that may go at any time, written or not; it is not a child's, not in a dump, and nobody is killed for want of it. */
#include "nos_test.h"

#define PAGE 4096l
#define SIZE (32 * 1024 * 1024l)
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

static char *map(int flags)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
}

static int has_flag(void *addr, const char *flag)
{
	char start[32];
	snprintf(start, sizeof start, "\n%08lx-", (unsigned long)addr);
	char *at = strstr(test_read_file("/proc/self/smaps"), start);
	CHECK(at);
	at = strstr(at, "VmFlags:");
	CHECK(at);
	*strchr(at, '\n') = 0;
	return strstr(at, flag) != NULL;
}

static void arguments(char *memory)
{
	CHECK_ERRNO((long)map(MAP_DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED), EINVAL);
	CHECK_ERRNO((long)map(MAP_DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN), EINVAL);
	CHECK_ERRNO((long)map(MAP_DROPPABLE | MAP_PRIVATE | MAP_ANONYMOUS), EINVAL);
	CHECK_ERRNO((long)map(MAP_DROPPABLE | MAP_SHARED | MAP_ANONYMOUS), EINVAL);
	int fd = OK(memfd_create("file", 0));
	OK(ftruncate(fd, SIZE));
	CHECK_ERRNO((long)mmap(NULL, SIZE, PROT_READ, MAP_DROPPABLE, fd, 0), EINVAL);
	OK(close(fd));
	CHECK(has_flag(memory, " dp"));
	CHECK(has_flag(memory, " wf"));
	CHECK(has_flag(memory, " dd"));
	CHECK(has_flag(memory, " nr"));
	CHECK_ERRNO(madvise(memory, PAGE, 19 /* KEEPONFORK */), EINVAL);
	CHECK_ERRNO(madvise(memory, PAGE, MADV_DODUMP), EINVAL);
	OK(madvise(memory, PAGE, MADV_DONTDUMP));
	OK(madvise(memory, PAGE, MADV_WIPEONFORK));
	/* It is not locked, but that is no error. */
	OK(mlock(memory, PAGE));
	CHECK(!has_flag(memory, " lo"));
	OK(munlock(memory, PAGE));
}

static void fill(char *memory)
{
	for (long at = 0; at < SIZE; at += PAGE)
		memory[at] = 'A';
}

static long gone(const char *memory)
{
	long pages = 0;
	for (long at = 0; at < SIZE; at += PAGE)
		pages += memory[at] != 'A';
	return pages;
}

static long count(const char *name)
{
	char *at = strstr(test_read_file("/proc/vmstat"), name);
	CHECK(at);
	return strtol(at + strlen(name), NULL, 10);
}

int main(void)
{
	char *memory = map(MAP_DROPPABLE | MAP_ANONYMOUS);
	if (memory == MAP_FAILED && errno == EINVAL)
		SKIP("there is no MAP_DROPPABLE");
	CHECK(memory != MAP_FAILED);
	arguments(memory);
	OK(madvise(memory, SIZE, MADV_NOHUGEPAGE));
	fill(memory);
	CHECK_EQ(gone(memory), 0);
	CHILD({
		CHECK_EQ(gone(memory), SIZE / PAGE);
		fill(memory);
		CHECK_EQ(gone(memory), 0);
	});
	CHECK_EQ(gone(memory), 0);
	/* Other private memory has nowhere to go; this has. */
	char *private = map(MAP_PRIVATE | MAP_ANONYMOUS);
	CHECK(private != MAP_FAILED);
	fill(private);
	OK(madvise(private, SIZE, 21 /* PAGEOUT */));
	CHECK_EQ(gone(private), 0);
	OK(madvise(memory, SIZE, 21));
	CHECK(gone(memory) > SIZE / PAGE / 2);
	fill(memory);
	CHECK_EQ(gone(memory), 0);
	/* When memory is short it goes, and only what there is too much of is killed. */
	long killed = count("\noom_kill ");
	pid_t child = OK(fork());
	if (child == 0) {
		test_write_file("/proc/self/oom_score_adj", "1000");
		for (;;) {
			char *more = map(MAP_PRIVATE | MAP_ANONYMOUS);
			if (more != MAP_FAILED)
				memset(more, 1, SIZE);
		}
	}
	int status = test_wait(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(gone(memory) > 0);
	CHECK_EQ(gone(private), 0);
	CHECK(count("\noom_kill ") > killed);
	fill(memory);
	CHECK_EQ(gone(memory), 0);
	OK(munmap(memory, SIZE));
	return 0;
}
