/* A byte through a pipe to another process and one back, two wake-ups, beside SIZE sleeping processes. */
#include "growth.h"

static int there[2], back[2];

static void ping_pong(void)
{
	char byte = 0;
	if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
		fail("pipe");
}

int main(int count, char **sizes)
{
	raise_process_limits();
	if (pipe(there) != 0 || pipe(back) != 0)
		fail("pipe");
	if (fork() == 0) {
		char byte;
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		if (grow_crowd_of_sleepers(CROWD_PROCESS, size, NULL) != 0) {
			print_missing("wake_pipe", size, "clone");
			continue;
		}
		print_cost("wake_pipe", size, cost_of(ping_pong, 500));
	}
	return 0;
}
