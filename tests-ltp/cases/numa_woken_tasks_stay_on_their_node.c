/* A task that wakes while its CPU is busy gets one of the same node that idles, though others idle too. */
#include "nos_numa.h"

#define ROUNDS 24

static unsigned node_here(void)
{
	unsigned node;
	OK(syscall(SYS_getcpu, NULL, &node, NULL));
	return node;
}

/* How many CPUs are on each node, and the last CPU of node 0: whoever looks for the next one finds another node's first. */
static int on_node[NUMA_NODES], busy = -1;

static void note(int cpu, int node)
{
	on_node[node]++;
	if (node == 0)
		busy = cpu;
}

int main(void)
{
	cpu_set_t all;
	OK(sched_getaffinity(0, sizeof all, &all));
	numa_each_cpu(note);
	if (on_node[0] < 2 || on_node[1] < 1)
		SKIP("there are not two nodes, the first with two CPUs");
	numa_run_on(busy);
	pid_t hog = (pid_t)OK(fork());
	if (hog == 0)
		for (;;)
			__asm__ volatile("");
	int near = 0;
	for (int round = 0; round < ROUNDS; round++) {
		numa_run_on(busy);
		OK(sched_setaffinity(0, sizeof all, &all));
		usleep(2000);
		near += node_here() == 0;
	}
	OK(kill(hog, SIGKILL));
	OK(waitpid(hog, NULL, 0));
	if (near < ROUNDS * 3 / 4)
		FAIL("it stayed on its node %d times of %d", near, ROUNDS);
	return 0;
}
