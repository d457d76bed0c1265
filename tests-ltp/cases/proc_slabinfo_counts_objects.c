/* /proc/slabinfo: version 2.1, and classes whose figures fit together. */
#include "nos_test.h"

int main(void)
{
	struct stat status;
	OK(stat("/proc/slabinfo", &status));
	CHECK_EQ(status.st_mode & 07777, 0400);
	char *text = test_read_file("/proc/slabinfo");
	int classes = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), classes++) {
		if (classes == 0) {
			CHECK_STR(line, "slabinfo - version: 2.1");
			continue;
		}
		if (classes == 1) {
			CHECK(strncmp(line, "# name ", 7) == 0);
			continue;
		}
		char name[64];
		unsigned long active, all, size, per_slab, pages, limit, batch, factor, active_slabs, slabs, shared;
		CHECK_EQ(sscanf(line, "%63s %lu %lu %lu %lu %lu : tunables %lu %lu %lu : slabdata %lu %lu %lu", name, &active, &all, &size,
				 &per_slab, &pages, &limit, &batch, &factor, &active_slabs, &slabs, &shared), 12);
		CHECK(size > 0 && per_slab > 0 && size * per_slab <= pages * 4096);
		CHECK(active <= all);
		CHECK_EQ(all, slabs * per_slab);
	}
	CHECK(classes > 10);
	return 0;
}
