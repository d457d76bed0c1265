/* All children of a process that ends get another parent, those that have ended and those that end at the same time too. */
#include "nos_test.h"
#include <sys/prctl.h>

#define CHILDREN 300

int main(void)
{
	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	int hold[2];
	OK(pipe(hold));
	pid_t middle = (pid_t)OK(fork());
	if (middle == 0) {
		close(hold[1]);
		for (int child = 0; child < CHILDREN; child++) {
			if (OK(fork()) != 0)
				continue;
			char byte;
			/* One has ended long before, one ends about now, one when it is told to. */
			if (child % 3 == 1)
				usleep(50000 + child * 100);
			if (child % 3 == 2)
				CHECK_EQ(read(hold[0], &byte, 1), 0);
			_exit(child % 100);
		}
		usleep(60000);
		_exit(0);
	}
	close(hold[0]);
	int status, sum = 0, expected = 0;
	CHECK_EQ(waitpid(middle, &status, 0), middle);
	CHECK_EQ(status, 0);
	OK(close(hold[1]));
	for (int child = 0; child < CHILDREN; child++) {
		CHECK(wait(&status) > 0);
		CHECK(WIFEXITED(status));
		sum += WEXITSTATUS(status);
		expected += child % 100;
	}
	CHECK_EQ(sum, expected);
	CHECK_ERRNO(wait(&status), ECHILD);
	return 0;
}
