/* On which node a CPU is, getcpu, /sys and the lists of nodes and of CPUs tell alike, however many nodes there are. */
#include "nos_test.h"
#include <dirent.h>
#include <sched.h>

#define NODE "/sys/devices/system/node"

/* The members of a list as the kernel writes it ("0-2,5"), as bits. */
static unsigned long members(const char *path)
{
	unsigned long set = 0;
	char *at = test_read_file(path);
	while (*at && *at != '\n') {
		long first = strtol(at, &at, 10), last = first;
		if (*at == '-')
			last = strtol(at + 1, &at, 10);
		for (long member = first; member <= last; member++)
			set |= 1ul << member;
		at += *at == ',';
	}
	return set;
}

static char *name_of(const char *format, int first, int second)
{
	static char names[4][128];
	static int next;
	char *name = names[next++ % 4];
	snprintf(name, sizeof names[0], format, first, second);
	return name;
}

/* The value behind a label of the node's meminfo, which is in its own column. */
static long kibibytes(int node, const char *label)
{
	char *text = test_read_file(name_of(NODE "/node%d/meminfo", node, 0));
	char wanted[64];
	snprintf(wanted, sizeof wanted, "Node %d %-15s ", node, label);
	char *at = strstr(text, wanted);
	if (!at)
		FAIL("no line \"%s\" of node %d", wanted, node);
	CHECK(strncmp(at + strlen(wanted) + 8, " kB\n", 4) == 0);
	return strtol(at + strlen(wanted), NULL, 10);
}

static void distances(int node, unsigned long online)
{
	char *at = test_read_file(name_of(NODE "/node%d/distance", node, 0));
	for (int other = 0; other < 64; other++) {
		if (!(online >> other & 1))
			continue;
		char *end;
		long distance = strtol(at, &end, 10);
		CHECK(end != at);
		if (other == node)
			CHECK_EQ(distance, 10);
		else
			CHECK(distance > 10 && distance <= 255);
		at = end + (*end == ' ');
	}
	CHECK_STR(at, "\n");
}

static void events(int node)
{
	char *text = test_read_file(name_of(NODE "/node%d/numastat", node, 0));
	static const char *const names[] = { "numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node" };
	for (int i = 0; i < 6; i++) {
		size_t len = strlen(names[i]);
		CHECK(strncmp(text, names[i], len) == 0 && text[len] == ' ');
		strtoul(text + len + 1, &text, 10);
		CHECK_EQ(*text++, '\n');
	}
	CHECK_EQ(*text, 0);
	text = test_read_file(name_of(NODE "/node%d/vmstat", node, 0));
	CHECK(strncmp(text, "nr_free_pages ", 14) == 0);
	CHECK(strstr(text, "\nnuma_hit ") && strstr(text, "\nnuma_miss ") && strstr(text, "\nnuma_foreign "));
	CHECK(strstr(text, "\nnuma_interleave ") && strstr(text, "\nnuma_local ") && strstr(text, "\nnuma_other "));
}

static int count(const char *text, const char *what)
{
	int found = 0;
	for (; (text = strstr(text, what)); text++)
		found++;
	return found;
}

int main(void)
{
	unsigned long online = members(NODE "/online"), has_cpu = members(NODE "/has_cpu");
	unsigned long has_memory = members(NODE "/has_memory");
	unsigned long cpus = members("/sys/devices/system/cpu/online"), seen = 0;
	CHECK(online && (online & ~members(NODE "/possible")) == 0);
	CHECK_EQ(has_cpu | has_memory, online);
	CHECK_EQ(members(NODE "/has_normal_memory"), has_memory);
	char *zones = strdup(test_read_file("/proc/zoneinfo")), *blocks = strdup(test_read_file("/proc/buddyinfo"));
	for (int node = 0; node < 64; node++) {
		if (!(online >> node & 1)) {
			CHECK(access(name_of(NODE "/node%d", node, 0), F_OK) == -1);
			continue;
		}
		unsigned long here = members(name_of(NODE "/node%d/cpulist", node, 0));
		CHECK_EQ(strtoul(test_read_file(name_of(NODE "/node%d/cpumap", node, 0)), NULL, 16), here);
		CHECK_EQ(here != 0, has_cpu >> node & 1);
		CHECK_EQ(here & seen, 0);
		seen |= here;
		distances(node, online);
		events(node);
		if (has_memory >> node & 1) {
			long total = kibibytes(node, "MemTotal:"), free = kibibytes(node, "MemFree:");
			CHECK(free > 0 && free < total);
			CHECK(kibibytes(node, "MemUsed:") > 0);
			CHECK(strstr(zones, name_of("Node %d, zone ", node, 0)));
			CHECK(strstr(blocks, name_of("Node %d, zone ", node, 0)));
		}
		for (int cpu = 0; cpu < 64; cpu++) {
			char target[128] = "";
			char *link = name_of(NODE "/node%d/cpu%d", node, cpu);
			if (!(here >> cpu & 1)) {
				CHECK(access(link, F_OK) == -1);
				continue;
			}
			OK(readlink(link, target, sizeof target - 1));
			CHECK_STR(target, name_of("../../cpu/cpu%d", cpu, 0));
			memset(target, 0, sizeof target);
			OK(readlink(name_of("/sys/devices/system/cpu/cpu%d/node%d", cpu, node), target, sizeof target - 1));
			CHECK_STR(target, name_of("../../node/node%d", node, 0));
			CHECK(access(name_of("/sys/devices/system/cpu/cpu%d/node%d/cpulist", cpu, node), R_OK) == 0);
			cpu_set_t one;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			OK(sched_setaffinity(0, sizeof one, &one));
			unsigned at_cpu = ~0u, at_node = ~0u;
			OK(syscall(SYS_getcpu, &at_cpu, &at_node, NULL));
			CHECK_EQ(at_cpu, cpu);
			CHECK_EQ(at_node, node);
		}
	}
	CHECK_EQ(seen, cpus);
	CHECK_EQ(count(zones, "  pages free     ") >= count(blocks, "Node "), 1);
	CHECK(count(zones, "\n      nr_free_pages ") >= 1 && count(zones, "\n      numa_hit     ") >= 1);
	CHECK(count(zones, "\n  pagesets\n    cpu: 0\n              count: ") >= 1);
	CHECK(count(zones, "\n        spanned  ") && count(zones, "\n        managed  ") && count(zones, "\n  start_pfn:           "));
	CHECK(strstr(test_read_file("/proc/vmstat"), "\nnuma_hit "));
	return 0;
}
