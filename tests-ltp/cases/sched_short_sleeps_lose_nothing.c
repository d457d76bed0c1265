/*
 * A task that sleeps for microseconds at a time beside one that never does uses less than its share, and gets the CPU more often than once a
 * tick: sleeping shortly does not cost it its place.
 */
#include "nos_test.h"
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>

struct shared {
	int word;
	volatile long woken;
};

int main(void)
{
	struct shared *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t cpu;
	CHECK(shared != MAP_FAILED);
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	OK(sched_setaffinity(0, sizeof cpu, &cpu));
	pid_t waiter = (pid_t)OK(fork());
	if (waiter == 0) {
		for (;;) {
			syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, NULL, NULL, 0);
			shared->woken++;
		}
	}
	/* The best of some seconds: others may use the processors below. */
	long woken = 0;
	for (int round = 0; round < 8 && woken <= 400; round++) {
		int64_t begin = test_now();
		long before = shared->woken;
		do
			syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1, NULL, NULL, 0);
		while (test_now() - begin < 1000000);
		woken = shared->woken - before;
	}
	OK(kill(waiter, SIGKILL));
	CHECK_EQ(OK(waitpid(waiter, NULL, 0)), waiter);
	printf("%ld times in a second\n", woken);
	/* With a tick of 4 ms between two times it would be 250. */
	CHECK(woken > 400);
	return 0;
}
