/* vfork: one memory, and the parent goes on only when the child has called execve or is gone. */
#include "nos_test.h"

static volatile int value;

int main(int argc, char **argv)
{
	(void)argv;
	if (argc == 2) {
		usleep(200000);
		return 6;
	}
	pid_t child = vfork();
	if (child == 0) {
		usleep(50000);
		value = 17;
		_exit(3);
	}
	CHECK_EQ(value, 17);
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 3);

	int64_t before = test_now();
	child = vfork();
	if (child == 0) {
		value = 18;
		execl("/proc/self/exe", "again", "x", NULL);
		_exit(99);
	}
	CHECK_EQ(value, 18);
	CHECK(test_now() - before < 150000);
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 6);

	/* A failed execve does not let the parent go. */
	child = vfork();
	if (child == 0) {
		execl("/no/such/program", "x", NULL);
		usleep(50000);
		value = 19;
		_exit(0);
	}
	CHECK_EQ(value, 19);
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
