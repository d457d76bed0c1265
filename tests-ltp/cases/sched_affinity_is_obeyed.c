/* A task runs only where its affinity allows, moves when that changes, and children inherit it. */
#include "nos_test.h"
#include <sched.h>

int main(void)
{
	cpu_set_t all, one, read_back;
	OK(sched_getaffinity(0, sizeof all, &all));
	int count = CPU_COUNT(&all);
	CHECK(count >= 1);
	for (int round = 0; round < 20; round++) {
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			OK(sched_setaffinity(0, sizeof one, &one));
			CHECK_EQ(sched_getcpu(), cpu);
			OK(sched_getaffinity(0, sizeof read_back, &read_back));
			CHECK(CPU_EQUAL(&one, &read_back));
			sched_yield();
			CHECK_EQ(sched_getcpu(), cpu);
		}
	}
	int last = sched_getcpu();
	CHILD({
		CHECK_EQ(sched_getcpu(), last);
		OK(sched_getaffinity(0, sizeof read_back, &read_back));
		CHECK(CPU_EQUAL(&one, &read_back));
	});

	/* A running child is moved by its parent. */
	OK(sched_setaffinity(0, sizeof all, &all));
	int ends[2];
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		for (;;) {
			int cpu = sched_getcpu();
			if (write(ends[1], &cpu, sizeof cpu) < 0)
				_exit(1);
		}
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		OK(sched_setaffinity(child, sizeof one, &one));
		/* What is in the pipe was written before; soon only the new one comes. */
		int seen = -1;
		for (int i = 0; i < 200000 && seen != cpu; i++)
			CHECK_EQ(read(ends[0], &seen, sizeof seen), sizeof seen);
		CHECK_EQ(seen, cpu);
	}
	OK(kill(child, SIGKILL));
	test_wait(child);

	CPU_ZERO(&one);
	CHECK_ERRNO(sched_setaffinity(0, sizeof one, &one), EINVAL);
	CHECK_ERRNO(sched_setaffinity(0x7ffffff0, sizeof all, &all), ESRCH);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 3, &all), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, sizeof all, KERNEL_ADDRESS), EFAULT);
	return 0;
}
