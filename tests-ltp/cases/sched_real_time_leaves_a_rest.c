/* A real-time task that never sleeps leaves the others of its CPU a twentieth of the time: they are not starved, and get no more. */
#include "nos_test.h"
#include <sched.h>
#include <sys/resource.h>

#define SECONDS 4

static volatile int *ready;

static double used(void)
{
	struct rusage usage;
	OK(getrusage(RUSAGE_SELF, &usage));
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(void)
{
	cpu_set_t first, second;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	CPU_ZERO(&second);
	CPU_SET(1, &second);
	if (sched_setaffinity(0, sizeof second, &second) != 0)
		SKIP("there is only one CPU to watch from");
	ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(ready != MAP_FAILED);
	double *share = (double *)(ready + 16);

	pid_t others = (pid_t)OK(fork());
	if (others == 0) {
		OK(sched_setaffinity(0, sizeof first, &first));
		ready[0] = 1;
		while (!ready[1])
			;
		double begin = used();
		while (!ready[2])
			*share = used() - begin;
		_exit(0);
	}
	while (!ready[0])
		usleep(1000);
	pid_t urgent = (pid_t)OK(fork());
	if (urgent == 0) {
		struct sched_param priority = { .sched_priority = 50 };
		OK(sched_setaffinity(0, sizeof first, &first));
		if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &priority) != 0)
			_exit(TEST_SKIPPED);
		ready[1] = 1;
		for (;;)
			;
	}
	int64_t begin = test_now();
	while (!ready[1]) {
		int status;
		if (waitpid(urgent, &status, WNOHANG) == urgent) {
			kill(others, SIGKILL);
			SKIP("no real-time priorities here");
		}
		usleep(1000);
	}
	usleep(SECONDS * 1000000);
	double got = *share, passed = (test_now() - begin) / 1e6;
	OK(kill(urgent, SIGKILL));
	test_wait(urgent);
	ready[2] = 1;
	OK(kill(others, SIGKILL));
	test_wait(others);
	if (got < passed * 0.02 || got > passed * 0.1)
		FAIL("the others got %.3f s of %.3f", got, passed);
	return 0;
}
