/* When the session's leader exits, the foreground group gets SIGHUP and the terminal is free. */
#include "nos_pty.h"

int main(void)
{
	int report[2];
	char what = 0;
	struct pty pty = pty_open();
	OK(pipe(report));
	pid_t leader = (pid_t)OK(fork());
	if (leader == 0) {
		OK(setsid());
		OK(ioctl(pty.slave, TIOCSCTTY, 0));
		pid_t job = (pid_t)OK(fork());
		if (job == 0) {
			sigset_t set;
			struct timespec limit = { 5, 0 };
			sigemptyset(&set);
			sigaddset(&set, SIGHUP);
			sigprocmask(SIG_BLOCK, &set, NULL);
			OK(setpgid(0, 0));
			what = 'r';
			CHECK_EQ(write(report[1], &what, 1), 1);
			what = sigtimedwait(&set, NULL, &limit) == SIGHUP ? 'h' : 'n';
			CHECK_EQ(write(report[1], &what, 1), 1);
			_exit(0);
		}
		CHECK_EQ(read(report[0], &what, 1), 1);
		signal(SIGTTOU, SIG_IGN);
		OK(tcsetpgrp(pty.slave, job));
		_exit(0);
	}
	CHECK_EQ(test_wait(leader), 0);
	CHECK_EQ(read(report[0], &what, 1), 1);
	CHECK_EQ(what, 'h');
	/* Another session may have it now. */
	CHILD({
		OK(setsid());
		OK(ioctl(pty.slave, TIOCSCTTY, 0));
	});
	return 0;
}
