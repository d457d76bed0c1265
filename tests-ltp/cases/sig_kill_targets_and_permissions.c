/* kill(2) with every form of pid, its errors, and who may. */
#include "nos_test.h"

int main(void)
{
	OK(kill(getpid(), 0));
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
	CHECK_ERRNO(kill(0x7ffffff0, 0), ESRCH);
	CHECK_ERRNO(kill(0x7ffffff0, 65), ESRCH);
	CHECK_ERRNO(kill((pid_t)0x80000000, SIGUSR1), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, 1, getpid(), SIGUSR1), ESRCH);
	CHECK_ERRNO(syscall(SYS_tkill, -1, SIGUSR1), EINVAL);
	OK(syscall(SYS_tkill, getpid(), 0));

	/* A group: both members die, we are not one of them. */
	pid_t leader = (pid_t)OK(fork());
	if (leader == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	OK(setpgid(leader, leader));
	pid_t member = (pid_t)OK(fork());
	if (member == 0) {
		setpgid(0, leader);
		for (;;)
			pause();
	}
	OK(setpgid(member, leader));
	OK(kill(-leader, SIGTERM));
	CHECK_EQ(WTERMSIG(test_wait(leader)), SIGTERM);
	CHECK_EQ(WTERMSIG(test_wait(member)), SIGTERM);
	CHECK_ERRNO(kill(-leader, 0), ESRCH);

	/* A zombie can be signalled, to no effect. */
	pid_t zombie = (pid_t)OK(fork());
	if (zombie == 0)
		_exit(3);
	siginfo_t info;
	OK(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT));
	OK(kill(zombie, SIGKILL));
	CHECK_EQ(WEXITSTATUS(test_wait(zombie)), 3);

	/* Another user may not, except itself. */
	CHILD({
		pid_t parent = getppid();
		OK(setgid(1000));
		OK(setuid(1000));
		CHECK_ERRNO(kill(parent, SIGUSR1), EPERM);
		CHECK_ERRNO(kill(parent, 0), EPERM);
		CHECK_ERRNO(kill(1, SIGTERM), EPERM);
		OK(kill(getpid(), 0));
		/* The session is the same: SIGCONT is allowed. */
		OK(kill(parent, SIGCONT));
	});
	return 0;
}
