/* The files about the whole system have the lines that tools read. */
#include "nos_test.h"

static long long after(char *text, const char *label)
{
	char *at = strstr(text, label);
	if (!at)
		FAIL("no %s", label);
	return strtoll(at + strlen(label), NULL, 10);
}

int main(void)
{
	char *text = test_read_file("/proc/meminfo");
	long long total = after(text, "MemTotal:");
	CHECK(strncmp(text, "MemTotal:       ", 16) == 0);
	CHECK(total > 1000);
	CHECK(after(text, "MemFree:") <= total);
	CHECK(after(text, "MemAvailable:") <= total);
	after(text, "\nBuffers:");
	after(text, "\nCached:");
	after(text, "\nSwapTotal:");
	after(text, "\nShmem:");
	after(text, "\nSReclaimable:");
	text = test_read_file("/proc/stat");
	CHECK(strncmp(text, "cpu  ", 5) == 0);
	CHECK(strstr(text, "\ncpu0 "));
	CHECK(after(text, "\nbtime ") > 0);
	CHECK(after(text, "\nprocesses ") > 0);
	CHECK(after(text, "\nprocs_running ") > 0);
	after(text, "\nctxt ");
	double one, five, fifteen, up, idle;
	int running, threads, last;
	CHECK_EQ(sscanf(test_read_file("/proc/loadavg"), "%lf %lf %lf %d/%d %d\n", &one, &five, &fifteen, &running, &threads, &last), 6);
	CHECK(running >= 1 && threads >= running);
	CHECK_EQ(sscanf(test_read_file("/proc/uptime"), "%lf %lf\n", &up, &idle), 2);
	CHECK(up > 0);
	CHECK(strncmp(test_read_file("/proc/version"), "Linux version ", 14) == 0);
	CHECK(strstr(test_read_file("/proc/cpuinfo"), "processor\t: 0\n"));
	CHECK(strstr(test_read_file("/proc/filesystems"), "nodev\tproc\n"));
	CHECK(strstr(test_read_file("/proc/filesystems"), "nodev\ttmpfs\n"));
	CHECK(strstr(test_read_file("/proc/mounts"), " /proc proc "));
	CHECK(strstr(test_read_file("/proc/self/mountinfo"), " /proc rw"));
	CHECK(strstr(test_read_file("/proc/devices"), "Character devices:\n"));
	CHECK(strstr(test_read_file("/proc/swaps"), "Filename\t\t\t\tType\t\tSize"));
	CHECK(strstr(test_read_file("/proc/net/dev"), "Inter-|   Receive "));
	CHECK(strstr(test_read_file("/sys/devices/system/cpu/online"), "0"));
	return 0;
}
