/* Finding a process by its id, among SIZE processes: getpgid(2), and kill(2) with signal 0. */
#include "growth.h"

static pid_t *ids;

static void look_up(void)
{
	if (getpgid(ids[below(crowd_size)]) < 0)
		fail("getpgid");
}

static void probe(void)
{
	if (kill(ids[below(crowd_size)], 0) != 0)
		fail("kill");
}

int main(int count, char **sizes)
{
	raise_process_limits();
	ids = calloc(size_of(sizes[count - 1]), sizeof *ids);
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		if (grow_crowd_of_sleepers(CROWD_PROCESS, size, ids) != 0) {
			print_missing("pid_lookup", size, "clone");
			print_missing("kill_zero", size, "clone");
			continue;
		}
		print_cost("pid_lookup", size, cost_of(look_up, 2000));
		print_cost("kill_zero", size, cost_of(probe, 2000));
	}
	return 0;
}
