/* Descriptors in a process that has SIZE of them: finding one (fcntl F_GETFD), and the lowest free number (dup and close). */
#include "growth.h"

static unsigned long open_fds;

static void look_up(void)
{
	if (fcntl((int)below(open_fds), F_GETFD) < 0)
		fail("fcntl");
}

static void take_lowest(void)
{
	int fd = dup(STDIN_FILENO);
	if ((unsigned long)fd != open_fds || close(fd) != 0)
		fail("dup");
}

int main(int count, char **sizes)
{
	raise_limit(RLIMIT_NOFILE, size_of(sizes[count - 1]) + 16);
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		int fd = 0;
		while (fd >= 0 && (unsigned long)fd + 1 < size)
			fd = dup(STDIN_FILENO);
		if (fd < 0) {
			print_missing("fd_lookup", size, "dup");
			print_missing("fd_lowest", size, "dup");
			continue;
		}
		open_fds = size;
		print_cost("fd_lookup", size, cost_of(look_up, 2000));
		print_cost("fd_lowest", size, cost_of(take_lowest, 2000));
	}
	return 0;
}
