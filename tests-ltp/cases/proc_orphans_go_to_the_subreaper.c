/* A process whose parent ends becomes the child of the nearest subreaper above. */
#include "nos_test.h"
#include <sys/prctl.h>

int main(void)
{
	int reaper = -1, ends[2], status;
	pid_t grandchild, before;
	OK(prctl(PR_GET_CHILD_SUBREAPER, &reaper));
	CHECK_EQ(reaper, 0);
	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(prctl(PR_GET_CHILD_SUBREAPER, &reaper));
	CHECK_EQ(reaper, 1);
	OK(pipe(ends));
	before = getpid();
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		/* The setting is not inherited, its effect is. */
		OK(prctl(PR_GET_CHILD_SUBREAPER, &reaper));
		CHECK_EQ(reaper, 0);
		grandchild = (pid_t)OK(fork());
		if (grandchild == 0) {
			for (int i = 0; i < 5000 && getppid() != before; i++)
				usleep(1000);
			CHECK_EQ(getppid(), before);
			pid_t own = getpid();
			(void)!write(ends[1], &own, sizeof own);
			_exit(5);
		}
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(read(ends[0], &grandchild, sizeof grandchild), sizeof grandchild);
	CHECK_EQ(waitpid(-1, &status, 0), grandchild);
	CHECK_EQ(WEXITSTATUS(status), 5);
	return 0;
}
