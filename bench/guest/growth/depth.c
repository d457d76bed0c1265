/* stat(2) of a path of SIZE components; the figure is the cost of a component. PATH_MAX ends this below 2,048. */
#include "growth.h"

/* Room for one component more than the kernel takes. */
static char path[4096 + 2];

static void walk(void)
{
	struct stat found;
	if (stat(path, &found) != 0)
		fail("stat");
}

int main(int count, char **sizes)
{
	unsigned long depth = 0;
	if (chdir("/tmp") != 0)
		fail("chdir");
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		int failed = 0;
		while (!failed && depth < size) {
			if (depth)
				strcpy(path + 2 * depth - 1, "/d");
			else
				strcpy(path, "d");
			failed = mkdir(path, 0700) != 0;
			depth += !failed;
		}
		if (failed)
			print_missing("path_depth", size, "mkdir");
		else
			print_cost("path_depth", size, cost_of(walk, 50) / (double)size);
	}
	return 0;
}
