/* The parent of a vfork runs on only after the child's exec or exit. */
#include "nos_test.h"

static volatile int shared;

int main(void)
{
	int status;
	pid_t child = vfork();
	if (child == 0) {
		usleep(20000);
		shared = 5;
		_exit(3);
	}
	CHECK(child > 0);
	CHECK_EQ(shared, 5);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 3);
	child = vfork();
	if (child == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
