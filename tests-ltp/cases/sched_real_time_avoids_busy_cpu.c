/* A FIFO task that wakes where a more urgent one computes goes to a CPU that runs a common task. */
#include "nos_test.h"
#include <sched.h>

static struct {
	volatile int64_t woken;
	volatile int stop;
} *shared;

static int cpus[2];

static void tie(int first, int second)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(first, &set);
	CPU_SET(second, &set);
	OK(sched_setaffinity(0, sizeof set, &set));
}

/* 0: a common task. */
static void set_priority(int priority)
{
	struct { int priority; } param = { priority };
	OK(syscall(SYS_sched_setscheduler, 0, priority ? SCHED_FIFO : SCHED_OTHER, &param));
}

static pid_t hog(int cpu, int priority)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid != 0)
		return pid;
	set_priority(priority);
	tie(cpu, cpu);
	int64_t end = test_now() + 800000;
	while (!shared->stop && test_now() < end)
		;
	_exit(0);
}

int main(void)
{
	cpu_set_t all;
	OK(sched_getaffinity(0, sizeof all, &all));
	int found = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &all))
			cpus[found++] = cpu;
	if (found < 2)
		SKIP("needs two CPUs");
	shared = (void *)OK((intptr_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	int go[2], ready[2];
	char byte = 0;
	OK(pipe(go));
	OK(pipe(ready));
	pid_t sleeper = (pid_t)OK(fork());
	if (sleeper == 0) {
		set_priority(40);
		/* It sleeps on the first CPU and may run on both. */
		tie(cpus[0], cpus[0]);
		tie(cpus[0], cpus[1]);
		OK(write(ready[1], &byte, 1));
		CHECK_EQ(read(go[0], &byte, 1), 1);
		shared->woken = test_now();
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	OK(usleep(20000));
	tie(cpus[1], cpus[1]);
	pid_t common = hog(cpus[1], 0), urgent = hog(cpus[0], 50);
	OK(usleep(50000));
	int64_t started = test_now();
	OK(write(go[1], &byte, 1));
	while (!shared->woken && test_now() - started < 2000000)
		OK(usleep(1000));
	shared->stop = 1;
	CHECK(shared->woken && shared->woken - started < 300000);
	test_wait(sleeper);
	test_wait(common);
	test_wait(urgent);
	return 0;
}
