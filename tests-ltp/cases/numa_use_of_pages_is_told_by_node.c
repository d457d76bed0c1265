/* What pages are used for is told by node in /sys/devices/system/node and in /proc/zoneinfo, and adds up to what /proc/meminfo tells. */
#include "nos_numa.h"

#define PAGE 4096l
#define MIB (1024l * 1024)
#define SIZE (32 * MIB)
/* What other things may take and give meanwhile, in KiB; Linux collects a part of the counts on each CPU. */
#define SLACK 4096l

static int cpu_of[NUMA_NODES];
static int nodes;

/* KiB on a node, by the label in its meminfo. */
static long on(int node, const char *label)
{
	char line[64];
	snprintf(line, sizeof line, "Node %d %s:", node, label);
	return numa_value(numa_file(node, "meminfo"), line);
}

static long everywhere(const char *label)
{
	char line[64];
	snprintf(line, sizeof line, "\n%s:", label);
	return numa_value("/proc/meminfo", line);
}

static void near(int line, const char *what, long actual, long expected)
{
	if (labs(actual - expected) > SLACK)
		FAIL("line %d: %s: %ld KiB, not %ld", line, what, actual, expected);
}

#define NEAR(what, actual, expected) near(__LINE__, what, actual, expected)

static void note(int cpu, int node)
{
	cpu_of[node] = cpu;
	if (node >= nodes)
		nodes = node + 1;
}

/* The nodes with CPUs and memory, and a CPU of each; others are left out. */
static void find_nodes(void)
{
	memset(cpu_of, -1, sizeof cpu_of);
	numa_each_cpu(note);
}

static void sums(void)
{
	static const char *const same[] = { "AnonPages", "Mapped", "Shmem", "KernelStack", "PageTables", "Slab",
					    "SReclaimable", "SUnreclaim", "Mlocked", "Unevictable", "AnonHugePages",
					    "Active", "Inactive", "Active(anon)", "Inactive(file)" };
	for (unsigned i = 0; i < sizeof same / sizeof *same; i++) {
		long sum = 0;
		for (int node = 0; node < nodes; node++)
			sum += on(node, same[i]);
		NEAR(same[i], sum, everywhere(same[i]));
	}
	long files = 0, free = 0;
	for (int node = 0; node < nodes; node++) {
		files += on(node, "FilePages");
		free += on(node, "MemFree");
	}
	NEAR("FilePages", files, everywhere("Cached") + everywhere("Buffers") + everywhere("SwapCached"));
	NEAR("MemFree", free, everywhere("MemFree"));
	static const char *const counts[] = { "\nnr_anon_pages ", "\nnr_mapped ", "\nnr_file_pages ", "\nnr_shmem ", "\nnr_page_table_pages " };
	for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
		long sum = 0;
		for (int node = 0; node < nodes; node++)
			sum += numa_value(numa_file(node, "vmstat"), counts[i]);
		NEAR(counts[i], sum * 4, numa_value("/proc/vmstat", counts[i]) * 4);
	}
	long anonymous = 0;
	char *zones = test_read_file("/proc/zoneinfo");
	for (char *at = zones; (at = strstr(at, "  per-node stats\n")); at++)
		anonymous += strtol(strstr(at, "nr_anon_pages ") + 14, NULL, 10);
	NEAR("nr_anon_pages of zoneinfo", anonymous * 4, everywhere("AnonPages"));
}

static char *map(long size, int flags, int fd)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(memory != MAP_FAILED);
	madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

static void touch(char *memory, long size, long step)
{
	for (long at = 0; at < size; at += step)
		memory[at]++;
}

/* How much a figure of a node, and of another, if there is one, has grown. */
static long before[2];

static void remember(int node, const char *label)
{
	before[0] = on(node, label);
	before[1] = on((node + 1) % nodes, label);
}

static void check_growth(int line, int node, const char *label, long kib)
{
	near(line, label, on(node, label) - before[0], kib);
	if (nodes > 1)
		near(line, label, on((node + 1) % nodes, label) - before[1], 0);
}

#define GROWN(node, label, kib) check_growth(__LINE__, node, label, kib)

/* The same of what falls: pages may have to wait until no CPU looks at them. */
static void check_fall(int line, int node, const char *label, long kib)
{
	for (int tries = 0; tries < 100 && on(node, label) - before[0] > kib + SLACK; tries++)
		usleep(20000);
	check_growth(line, node, label, kib);
}

#define FALLEN(node, label, kib) check_fall(__LINE__, node, label, kib)

static void private_memory(int node)
{
	remember(node, "AnonPages");
	char *memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(memory, SIZE, PAGE);
	GROWN(node, "AnonPages", SIZE / 1024);
	sums();
	/* Shared with a child it is no more than before; a copy is. */
	int go[2], ready[2];
	char byte = 0;
	OK(pipe(go));
	OK(pipe(ready));
	pid_t child = OK(fork());
	if (child == 0) {
		touch(memory, SIZE / 4, PAGE);
		CHECK_EQ(write(ready[1], &byte, 1), 1);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	GROWN(node, "AnonPages", SIZE / 1024 * 5 / 4);
	CHECK_EQ(write(go[1], &byte, 1), 1);
	CHECK_EQ(test_wait(child), 0);
	GROWN(node, "AnonPages", SIZE / 1024);
	before[0] = on(node, "Mlocked");
	before[1] = on((node + 1) % nodes, "Mlocked");
	OK(mlock(memory, SIZE));
	GROWN(node, "Mlocked", SIZE / 1024);
	/* Another node's CPU gives it back. */
	numa_run_on(cpu_of[(node + 1) % nodes]);
	OK(munmap(memory, SIZE));
	GROWN(node, "Mlocked", 0);
	numa_run_on(cpu_of[node]);
	remember(node, "AnonPages");
	memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(memory, SIZE, PAGE);
	numa_run_on(cpu_of[(node + 1) % nodes]);
	OK(munmap(memory, SIZE));
	GROWN(node, "AnonPages", 0);
	numa_run_on(cpu_of[node]);
}

static void files(int node)
{
	remember(node, "Shmem");
	long cached = on(node, "FilePages");
	int fd = OK(memfd_create("file", 0));
	char *buffer = malloc(MIB);
	memset(buffer, 1, MIB);
	for (long at = 0; at < SIZE; at += MIB)
		CHECK_EQ(write(fd, buffer, MIB), MIB);
	free(buffer);
	GROWN(node, "Shmem", SIZE / 1024);
	NEAR("FilePages", on(node, "FilePages") - cached, SIZE / 1024);
	remember(node, "Mapped");
	char *one = map(SIZE, MAP_SHARED, fd);
	GROWN(node, "Mapped", 0);
	touch(one, SIZE, PAGE);
	GROWN(node, "Mapped", SIZE / 1024);
	sums();
	OK(munmap(one, SIZE / 2));
	GROWN(node, "Mapped", SIZE / 2048);
	CHILD({ touch(one + SIZE / 2, SIZE / 4, PAGE); });
	GROWN(node, "Mapped", SIZE / 2048);
	/* Another node's CPU takes it away. */
	numa_run_on(cpu_of[(node + 1) % nodes]);
	OK(munmap(one + SIZE / 2, SIZE / 2));
	numa_run_on(cpu_of[node]);
	GROWN(node, "Mapped", 0);
	remember(node, "Shmem");
	OK(ftruncate(fd, SIZE / 2));
	FALLEN(node, "Shmem", -SIZE / 2048);
	/* Space that is set aside counts as well. */
	OK(fallocate(fd, 0, 0, SIZE));
	GROWN(node, "Shmem", 0);
	OK(close(fd));
	FALLEN(node, "Shmem", -SIZE / 1024);
	remember(node, "Shmem");
	one = map(SIZE, MAP_SHARED | MAP_ANONYMOUS, -1);
	touch(one, SIZE, PAGE);
	GROWN(node, "Shmem", SIZE / 1024);
	OK(munmap(one, SIZE));
	FALLEN(node, "Shmem", 0);
}

static void tables(int node)
{
	/* A table for each page. */
	long size = 4096 * 2 * MIB;
	remember(node, "PageTables");
	char *memory = map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	touch(memory, size, 2 * MIB);
	GROWN(node, "PageTables", 4096 * 4);
	sums();
	OK(munmap(memory, size));
	FALLEN(node, "PageTables", 0);
}

int main(void)
{
	find_nodes();
	sums();
	for (int node = 0; node < nodes; node++) {
		if (cpu_of[node] < 0)
			continue;
		numa_run_on(cpu_of[node]);
		private_memory(node);
		files(node);
		tables(node);
		sums();
	}
	return 0;
}
