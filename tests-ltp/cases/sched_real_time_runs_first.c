/* A FIFO task takes the CPU from others at once, keeps it, and gives it up when it sleeps. */
#include "nos_test.h"
#include <sched.h>

static volatile uint64_t *counter;

int main(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof one, &one));
	counter = (void *)OK((intptr_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t hog = (pid_t)OK(fork());
	if (hog == 0)
		for (;;)
			++*counter;
	struct { int priority; } param = { 10 };
	OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
	/* While we compute, it does not move. */
	uint64_t before = *counter;
	int64_t end = test_now() + 50000;
	while (test_now() < end)
		;
	CHECK_EQ(*counter, before);
	/* While we sleep, it does; and we come back, though it never sleeps. */
	struct timespec nap = { 0, 20000000 };
	int64_t started = test_now();
	OK(nanosleep(&nap, NULL));
	int64_t slept = test_now() - started;
	CHECK(*counter > before);
	CHECK(slept >= 20000 && slept < 2000000);
	OK(kill(hog, SIGKILL));
	test_wait(hog);
	return 0;
}
