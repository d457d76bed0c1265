/* A task that wakes while its CPU is busy gets one of the same node that idles, though others idle too. */
#include "nos_test.h"
#include <sched.h>

#define ROUNDS 24

static unsigned node_here(void)
{
	unsigned node;
	OK(syscall(SYS_getcpu, NULL, &node, NULL));
	return node;
}

static void run_on(int cpu)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	OK(sched_setaffinity(0, sizeof one, &one));
}

int main(void)
{
	cpu_set_t all;
	OK(sched_getaffinity(0, sizeof all, &all));
	/* The last CPU of node 0: whoever looks for the next one finds another node's first. */
	int on_node[2] = { 0, 0 }, busy = -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		run_on(cpu);
		unsigned node = node_here();
		if (node < 2)
			on_node[node]++;
		if (node == 0)
			busy = cpu;
	}
	if (on_node[0] < 2 || on_node[1] < 1)
		SKIP("there are not two nodes, the first with two CPUs");
	run_on(busy);
	pid_t hog = (pid_t)OK(fork());
	if (hog == 0)
		for (;;)
			__asm__ volatile("");
	int near = 0;
	for (int round = 0; round < ROUNDS; round++) {
		run_on(busy);
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
