/* fork(2), exit and wait, beside SIZE sleeping processes; these are another's children, so that waiting looks at one child alone. */
#include "growth.h"

static void fork_and_wait(void)
{
	int status;
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, &status, 0) != child)
		fail("fork");
}

/* Has a child start `more` sleepers and stay their parent; 0, or -1 with errno. */
static int grow(unsigned long more)
{
	int report[2], error = 0;
	if (pipe(report) != 0)
		return -1;
	pid_t parent = fork();
	if (parent < 0)
		return -1;
	if (parent == 0) {
		if (grow_crowd_of_sleepers(CROWD_PROCESS, more, NULL) != 0)
			error = errno;
		write(report[1], &error, sizeof error);
		for (;;)
			pause();
	}
	close(report[1]);
	if (read(report[0], &error, sizeof error) != sizeof error)
		error = ECHILD; /* it died */
	close(report[0]);
	errno = error;
	return error ? -1 : 0;
}

int main(int count, char **sizes)
{
	unsigned long others = 0;
	int failed = 0;
	raise_process_limits();
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		failed = failed || grow(size - others) != 0;
		if (failed) {
			print_missing("fork", size, "clone");
			continue;
		}
		others = size;
		print_cost("fork", size, cost_of(fork_and_wait, 20));
	}
	return 0;
}
