/* setpgid, getpgid, setsid and getsid: who may be moved where. */
#include "nos_test.h"

int main(void)
{
	CHECK_ERRNO(setpgid(0, -1), EINVAL);
	CHECK_ERRNO(setpgid(1, 0), ESRCH);
	CHECK_ERRNO(setpgid(4000000, 0), ESRCH);
	CHECK_ERRNO(getpgid(4000000), ESRCH);
	CHECK_ERRNO(getsid(4000000), ESRCH);
	CHECK_ERRNO(getpgid(-1), ESRCH);
	CHILD({
		/* A new group, and back into the old one. */
		pid_t old = getpgrp();
		OK(setpgid(0, 0));
		CHECK_EQ(getpgrp(), getpid());
		OK(setpgid(0, old));
		CHECK_EQ(getpgrp(), old);
		/* A group that is not there. */
		CHECK_ERRNO(setpgid(0, 4000000), EPERM);
		OK(setsid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK_ERRNO(setsid(), EPERM);
		/* The leader of a session stays where it is. */
		CHECK_ERRNO(setpgid(0, 0), EPERM);
		/* A group of another session. */
		CHILD(CHECK_ERRNO(setpgid(0, old), EPERM));
	});
	CHILD({
		OK(setpgid(0, 0));
		/* The leader of a group cannot found a session. */
		CHECK_ERRNO(setsid(), EPERM);
	});
	/* A child can be moved until it has called execve. */
	int ends[2];
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		OK(read(ends[0], &byte, 1));
		OK(close(ends[1]));
		execl("/bin/sleep", "sleep", "10", NULL);
		_exit(9);
	}
	OK(setpgid(child, child));
	CHECK_EQ(getpgid(child), child);
	OK(setpgid(child, getpgrp()));
	OK(write(ends[1], "x", 1));
	for (int i = 0; i < 1000 && setpgid(child, child) == 0; i++) {
		if (setpgid(child, getpgrp()) != 0)
			break;
		usleep(2000);
	}
	CHECK_ERRNO(setpgid(child, child), EACCES);
	OK(kill(child, SIGKILL));
	test_wait(child);
	return 0;
}
