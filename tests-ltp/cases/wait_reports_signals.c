/* wait tells an exit status from a fatal signal, and ECHILD when there is no child. */
#include "nos_test.h"

int main(void)
{
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		raise(SIGKILL);
		_exit(0);
	}
	int status = test_wait(child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, &status, 0x80000), EINVAL);
	return 0;
}
