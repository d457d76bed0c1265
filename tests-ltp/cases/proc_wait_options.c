/* wait4 and waitid: which child, which event, and what is left to be waited for. */
#include "nos_test.h"
#include <sched.h>

int main(void)
{
	siginfo_t info;
	int status;
	CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
	CHECK_ERRNO(waitpid(1, NULL, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, NULL, 0x100), EINVAL);
	CHECK_ERRNO(syscall(SYS_wait4, INT32_MIN, NULL, 0, NULL), ESRCH);
	CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
	CHECK_ERRNO(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
	CHECK_ERRNO(waitid((idtype_t)9, 0, &info, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);

	int pipe_ends[2];
	OK(pipe(pipe_ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		close(pipe_ends[1]);
		(void)!read(pipe_ends[0], &byte, 1);
		_exit(300);
	}
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	memset(&info, 0xff, sizeof info);
	OK(waitid(P_PID, child, &info, WEXITED | WNOHANG));
	CHECK_EQ(info.si_pid, 0);
	CHECK_EQ(info.si_signo, 0);
	/* Not of this kind. */
	CHECK_ERRNO(waitpid(child, &status, __WCLONE), ECHILD);
	CHECK_ERRNO(waitpid(-getpid() - 1000000, &status, 0), ECHILD);
	OK(close(pipe_ends[1]));
	/* Looking leaves it there. */
	for (int i = 0; i < 2; i++) {
		memset(&info, 0, sizeof info);
		OK(waitid(P_PGID, 0, &info, WEXITED | WNOWAIT));
		CHECK_EQ(info.si_pid, child);
		CHECK_EQ(info.si_code, CLD_EXITED);
		CHECK_EQ(info.si_status, 300 & 0xff);
		CHECK_EQ(info.si_signo, SIGCHLD);
	}
	CHECK_EQ(waitpid(0, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 300 & 0xff);
	CHECK_ERRNO(waitpid(child, &status, 0), ECHILD);

	/* A child without SIGCHLD is a "clone" child. */
	child = (pid_t)OK(syscall(SYS_clone, 0, 0, 0, 0, 0));
	if (child == 0)
		_exit(1);
	CHECK_ERRNO(waitpid(child, &status, 0), ECHILD);
	CHECK_EQ(waitpid(child, &status, __WALL), child);

	/* Killed. */
	child = (pid_t)OK(fork());
	if (child == 0)
		for (;;)
			pause();
	OK(kill(child, SIGKILL));
	CHECK_EQ(test_wait(child), SIGKILL);
	return 0;
}
