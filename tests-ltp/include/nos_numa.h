/* What cases about NUMA nodes share. */
#ifndef NOS_NUMA_H
#define NOS_NUMA_H

#include "nos_test.h"
#include <sched.h>

/* The most nodes that a case asks for. */
#define NUMA_NODES 16

static inline void numa_run_on(int cpu)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	OK(sched_setaffinity(0, sizeof one, &one));
}

/* Calls `visit` with each CPU that the task may use, there, and its node. The task stays on the last. */
static inline void numa_each_cpu(void (*visit)(int cpu, int node))
{
	cpu_set_t all;
	OK(sched_getaffinity(0, sizeof all, &all));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned node;
		if (!CPU_ISSET(cpu, &all))
			continue;
		numa_run_on(cpu);
		OK(syscall(SYS_getcpu, NULL, &node, NULL));
		CHECK(node < NUMA_NODES);
		visit(cpu, (int)node);
	}
}

/* The number behind `label` in a file. */
static inline long numa_value(const char *path, const char *label)
{
	char *at = strstr(test_read_file(path), label);
	if (!at)
		FAIL("no %s in %s", label, path);
	return strtol(at + strlen(label), NULL, 10);
}

/* The path of a node's file. */
static inline char *numa_file(int node, const char *file)
{
	static char path[128];
	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/%s", node, file);
	return path;
}

#endif
