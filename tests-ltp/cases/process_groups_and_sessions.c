/* setpgid and setsid: who may join which group. */
#include "nos_test.h"

int main(void)
{
	int ends[2];
	char byte;
	CHECK_ERRNO(setpgid(0, -1), EINVAL);
	CHECK_ERRNO(setpgid(1, 0), ESRCH);
	CHECK_ERRNO(getpgid(999999), ESRCH);
	/* The runner made this process a session leader: it can neither move nor start another session. */
	CHECK_ERRNO(setpgid(0, 0), EPERM);
	CHECK_ERRNO(setsid(), EPERM);
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_EQ(read(ends[0], &byte, 1), 1);
		CHECK_EQ(getpgrp(), getpid());
		CHECK_EQ(getsid(0), getppid());
		CHECK_ERRNO(setsid(), EPERM);
		OK(setpgid(0, getppid()));
		CHECK_EQ(setsid(), getpid());
		_exit(0);
	}
	OK(setpgid(child, child));
	CHECK_EQ(getpgid(child), child);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
