/*
 * Memory that a CPU touches first is on its node, as long as that has some; then it is another's, and counted as such; freed, it
 * is where it was.
 */
#include "nos_numa.h"

#define MIB (1024l * 1024)
/* What other things may take and give meanwhile, in KiB. */
#define SLACK (24 * 1024)

static long free_on(int node)
{
	return numa_value(numa_file(node, "meminfo"), "MemFree:");
}

static void near(long actual, long expected)
{
	if (labs(actual - expected) > SLACK)
		FAIL("%ld KiB are free, not %ld or so", actual, expected);
}

static char *touch(long size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	for (long at = 0; at < size; at += 4096)
		memory[at] = 1;
	return memory;
}

/* A CPU of each node. */
static int cpu_of[2] = { -1, -1 };

static void note(int cpu, int node)
{
	if (node < 2)
		cpu_of[node] = cpu;
}

int main(void)
{
	char text[64];
	snprintf(text, sizeof text, "%s", test_read_file("/sys/devices/system/node/online"));
	if (strcmp(text, "0-1\n") != 0)
		SKIP("there are not two nodes");
	numa_each_cpu(note);
	CHECK(cpu_of[0] >= 0 && cpu_of[1] >= 0);
	/* Huge pages would be too coarse a measure. */
	for (int node = 0; node < 2; node++) {
		numa_run_on(cpu_of[node]);
		long before[2] = { free_on(0), free_on(1) };
		long hits = numa_value(numa_file(node, "numastat"), "local_node");
		char *memory = touch(96 * MIB);
		near(free_on(node), before[node] - 96 * 1024);
		near(free_on(!node), before[!node]);
		CHECK(numa_value(numa_file(node, "numastat"), "local_node") - hits >= 96 * MIB / (2 * MIB));
		/* The other node's CPU gives it back. */
		numa_run_on(cpu_of[!node]);
		OK(munmap(memory, 96 * MIB));
		near(free_on(node), before[node]);
		near(free_on(!node), before[!node]);
	}
	/* More than the node has. */
	numa_run_on(cpu_of[1]);
	long before[2] = { free_on(0), free_on(1) };
	long foreign = numa_value(numa_file(1, "numastat"), "numa_foreign"), missed = numa_value(numa_file(0, "numastat"), "numa_miss");
	long size = before[1] * 1024 + 32 * MIB;
	char *memory = touch(size);
	CHECK(free_on(1) < before[1] / 8);
	CHECK(free_on(0) < before[0] - 24 * 1024);
	foreign = numa_value(numa_file(1, "numastat"), "numa_foreign") - foreign;
	missed = numa_value(numa_file(0, "numastat"), "numa_miss") - missed;
	CHECK(foreign > 0 && missed > 0);
	OK(munmap(memory, size));
	near(free_on(0), before[0]);
	near(free_on(1), before[1]);
	return 0;
}
