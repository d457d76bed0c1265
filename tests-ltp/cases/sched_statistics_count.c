/* /proc/<pid>/schedstat, /proc/<pid>/sched and /proc/schedstat: time on a CPU, time waiting for one, how often a task got one,
 * how often it moved; and what is counted while kernel.sched_schedstats is on. */
#include "nos_test.h"
#include <sched.h>
#include <sys/resource.h>

/* musl counts the CPUs that it may run on, which changes. */
static unsigned cpu_count;

struct figures {
	unsigned long long run, waited, arrivals;
};

static struct figures figures_of(const char *path)
{
	struct figures it;
	CHECK_EQ(sscanf(test_read_file(path), "%llu %llu %llu\n", &it.run, &it.waited, &it.arrivals), 3);
	return it;
}

/* A line of /proc/<pid>/sched, "name : value". */
static double line_of(const char *path, const char *name)
{
	char *text = test_read_file(path), *line = text;
	size_t length = strlen(name);
	for (; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, name, length) == 0 && (line[length] == ' ' || line[length] == ':'))
			return strtod(strchr(line, ':') + 1, NULL);
	FAIL("%s has no %s:\n%s", path, name, text);
}

struct cpu_figures {
	unsigned long long yields, calls, idles, wakes, local, run, waited, arrivals;
};

/* The sums over all CPUs of /proc/schedstat. */
static struct cpu_figures all_cpus(void)
{
	struct cpu_figures sum = { 0 };
	char *text = test_read_file("/proc/schedstat"), *line = text;
	unsigned version, cpus = 0;
	unsigned long long stamp;
	CHECK_EQ(sscanf(text, "version %u\ntimestamp %llu\n", &version, &stamp), 2);
	for (; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		struct cpu_figures one;
		unsigned cpu;
		if (strncmp(line, "cpu", 3) != 0)
			continue;
		CHECK_EQ(sscanf(line, "cpu%u %llu 0 %llu %llu %llu %llu %llu %llu %llu\n", &cpu, &one.yields, &one.calls, &one.idles,
			&one.wakes, &one.local, &one.run, &one.waited, &one.arrivals), 9);
		CHECK_EQ(cpu, cpus);
		cpus++;
		sum.yields += one.yields;
		sum.calls += one.calls;
		sum.idles += one.idles;
		sum.wakes += one.wakes;
		sum.local += one.local;
		sum.run += one.run;
		sum.waited += one.waited;
		sum.arrivals += one.arrivals;
	}
	CHECK_EQ(cpus, cpu_count);
	return sum;
}

static void burn(int64_t microseconds)
{
	for (int64_t end = test_now() + microseconds; test_now() < end;)
		;
}

static void on_cpu(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof set, &set));
}

int main(void)
{
	if (access("/proc/schedstat", R_OK) != 0)
		SKIP("this kernel was built without statistics of the scheduler");
	cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long long clock_before = test_now();

	/* Sleeping: no time runs, but each sleep is an arrival. */
	struct figures before = figures_of("/proc/self/schedstat"), after;
	CHECK(before.run > 0 && before.arrivals > 0);
	for (int i = 0; i < 20; i++)
		usleep(1000);
	after = figures_of("/proc/self/schedstat");
	CHECK(after.arrivals >= before.arrivals + 20);
	CHECK(after.run >= before.run);
	CHECK(after.run - before.run <= (test_now() - clock_before) * 1000);

	/* Two on one CPU: both wait for about as long as they run. */
	struct cpu_figures cpus_before = all_cpus(), cpus_after;
	on_cpu(0);
	int64_t start = test_now();
	before = figures_of("/proc/self/schedstat");
	pid_t other = (pid_t)OK(fork());
	if (other == 0)
		for (;;)
			;
	burn(1000000);
	after = figures_of("/proc/self/schedstat");
	uint64_t passed = (test_now() - start) * 1000ULL;
	struct figures its = figures_of(({ static char path[64]; sprintf(path, "/proc/%d/schedstat", other); path; }));
	OK(kill(other, SIGKILL));
	test_wait(other);
	unsigned long long ran = after.run - before.run, waited = after.waited - before.waited;
	if (waited < passed / 5 || ran < passed / 5 || ran + waited > passed + passed / 10)
		FAIL("of %llu ns it ran %llu and waited %llu", (unsigned long long)passed, ran, waited);
	CHECK(after.arrivals - before.arrivals >= 10);
	if (its.waited < passed / 5 || its.run < passed / 5)
		FAIL("the other ran %llu and waited %llu of %llu ns", its.run, its.waited, (unsigned long long)passed);
	cpus_after = all_cpus();
	CHECK(cpus_after.run - cpus_before.run >= passed / 2);
	CHECK(cpus_after.waited - cpus_before.waited >= passed * 2 / 5);
	CHECK(cpus_after.arrivals - cpus_before.arrivals >= 20);

	/* sched: the figures of getrusage and of schedstat. */
	struct rusage usage;
	OK(getrusage(RUSAGE_SELF, &usage));
	CHECK(line_of("/proc/self/sched", "nr_voluntary_switches") >= usage.ru_nvcsw);
	CHECK(line_of("/proc/self/sched", "nr_involuntary_switches") >= usage.ru_nivcsw);
	CHECK(line_of("/proc/self/sched", "nr_switches") >= usage.ru_nvcsw + usage.ru_nivcsw);
	CHECK(line_of("/proc/self/sched", "se.sum_exec_runtime") * 1e6 >= after.run);
	double charged = line_of("/proc/self/sched", "se.exec_start"), virtual_before = line_of("/proc/self/sched", "se.vruntime");
	burn(20000);
	CHECK(line_of("/proc/self/sched", "se.exec_start") > charged);
	CHECK(line_of("/proc/self/sched", "se.vruntime") > virtual_before);
	CHECK(line_of("/proc/self/sched", "clock-delta") >= 0);
	CHECK_EQ(line_of("/proc/self/sched", "policy"), SCHED_OTHER);
	CHECK_EQ(line_of("/proc/self/sched", "prio"), 120);
	CHECK_EQ(line_of("/proc/self/sched", "se.load.weight"), 1 << 20);
	CHILD({
		OK(setpriority(PRIO_PROCESS, 0, 5));
		CHECK_EQ(line_of("/proc/self/sched", "prio"), 125);
		double weight = line_of("/proc/self/sched", "se.load.weight");
		CHECK(weight > 335 * 1024 * 0.98 && weight < 335 * 1024 * 1.02);
		struct sched_param urgent = { .sched_priority = 10 };
		if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &urgent) == 0) {
			CHECK_EQ(line_of("/proc/self/sched", "prio"), 89);
			CHECK_EQ(line_of("/proc/self/sched", "policy"), SCHED_FIFO);
		}
	});

	/* Moving to another CPU and back are two migrations. */
	if (cpu_count > 1) {
		double migrations = line_of("/proc/self/sched", "se.nr_migrations");
		on_cpu(1);
		on_cpu(0);
		CHECK_EQ(line_of("/proc/self/sched", "se.nr_migrations") - migrations, 2);
	}

	/* Events are counted while that is on, and kept after. */
	int fd = open("/proc/sys/kernel/sched_schedstats", O_RDWR);
	if (fd < 0)
		return 0;
	char was[2];
	CHECK_EQ(read(fd, was, 1), 1);
	CHECK_ERRNO(pwrite(fd, "2\n", 2, 0), EINVAL);
	CHECK_EQ(pwrite(fd, "1\n", 2, 0), 2);
	cpus_before = all_cpus();
	for (int i = 0; i < 100; i++)
		sched_yield();
	for (int i = 0; i < 20; i++)
		usleep(1000);
	cpus_after = all_cpus();
	CHECK(cpus_after.yields - cpus_before.yields >= 100);
	CHECK(cpus_after.calls - cpus_before.calls >= 120);
	CHECK(cpus_after.idles > cpus_before.idles);
	CHECK(cpus_after.wakes - cpus_before.wakes >= 20);
	CHECK(cpus_after.local > cpus_before.local);
	CHECK_EQ(pwrite(fd, "0\n", 2, 0), 2);
	cpus_before = all_cpus();
	for (int i = 0; i < 100; i++)
		sched_yield();
	cpus_after = all_cpus();
	CHECK_EQ(cpus_after.yields, cpus_before.yields);
	CHECK_EQ(cpus_after.wakes, cpus_before.wakes);
	CHECK_EQ(pwrite(fd, was, 1, 0), 1);
	return 0;
}
