/*
 * kernel.sched_rt_runtime_us and kernel.sched_rt_period_us take what makes sense and nothing else, and say how much of a CPU real-time tasks
 * leave to the others; or that is a twentieth whatever they say, as on Linux since 6.12, where only deadline tasks have to do with them.
 */
#include "nos_test.h"
#include <sched.h>
#include <stdbool.h>

#define RUNTIME "/proc/sys/kernel/sched_rt_runtime_us"
#define PERIOD "/proc/sys/kernel/sched_rt_period_us"
#define MICROSECONDS 1500000

static volatile long *turns;

static int put(const char *path, const char *text)
{
	int fd = (int)OK(open(path, O_WRONLY));
	ssize_t wrote = write(fd, text, strlen(text));
	int error = wrote < 0 ? errno : 0;
	OK(close(fd));
	return error;
}

static pid_t spin_on_first(int policy, int priority)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		struct sched_param param = { .sched_priority = priority };
		cpu_set_t first;
		CPU_ZERO(&first);
		CPU_SET(0, &first);
		OK(sched_setaffinity(0, sizeof first, &first));
		OK(syscall(SYS_sched_setscheduler, 0, policy, &param));
		for (;;)
			if (policy == SCHED_OTHER)
				turns[0]++;
	}
	return pid;
}

/* The usual task's turns a microsecond, once things have settled. */
static double rate_of_turns(void)
{
	usleep(200000);
	int64_t begin = test_now();
	long before = turns[0];
	usleep(MICROSECONDS);
	return (double)(turns[0] - before) / (double)(test_now() - begin);
}

/* What part of CPU 0's time a usual task gets beside a real-time one. */
static double left_to_others(double alone)
{
	pid_t urgent = spin_on_first(SCHED_FIFO, 10);
	double rate = rate_of_turns();
	OK(kill(urgent, SIGKILL));
	test_wait(urgent);
	return rate / alone;
}

int main(void)
{
	cpu_set_t second;
	CPU_ZERO(&second);
	CPU_SET(1, &second);
	if (sched_setaffinity(0, sizeof second, &second) != 0)
		SKIP("there is only one CPU to watch from");
	turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(turns != MAP_FAILED);

	CHECK_STR(test_read_file(RUNTIME), "950000\n");
	CHECK_STR(test_read_file(PERIOD), "1000000\n");
	CHECK_EQ(put(RUNTIME, "1000001"), EINVAL);
	CHECK_EQ(put(RUNTIME, "-2"), EINVAL);
	CHECK_EQ(put(RUNTIME, "many"), EINVAL);
	CHECK_EQ(put(RUNTIME, "4294967296"), EINVAL);
	CHECK_EQ(put(PERIOD, "949999"), EINVAL);
	CHECK_EQ(put(PERIOD, "0"), EINVAL);
	CHECK_STR(test_read_file(RUNTIME), "950000\n");
	CHECK_STR(test_read_file(PERIOD), "1000000\n");

	pid_t usual = spin_on_first(SCHED_OTHER, 0);
	double alone = rate_of_turns();

	CHECK_EQ(put(RUNTIME, "100000"), 0);
	CHECK_EQ(put(PERIOD, "200000\n"), 0);
	CHECK_STR(test_read_file(PERIOD), "200000\n");
	double half = left_to_others(alone);
	CHECK_EQ(put(RUNTIME, "-1"), 0);
	CHECK_STR(test_read_file(RUNTIME), "-1\n");
	double none = left_to_others(alone);
	CHECK_EQ(put(PERIOD, "1000000"), 0);
	CHECK_EQ(put(RUNTIME, " 950000"), 0);
	OK(kill(usual, SIGKILL));
	test_wait(usual);
	printf("left to others: %.2f of a half, %.2f of nothing\n", half, none);
	bool follows = half > 0.2;
	if (half > 0.7)
		FAIL("half of the time was to be left, but it was %.2f", half);
	if (none > (follows ? 0.02 : 0.15))
		FAIL("no time was to be left, but it was %.2f", none);
	return 0;
}
