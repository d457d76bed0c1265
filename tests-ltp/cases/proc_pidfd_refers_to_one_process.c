/* pidfds: made, polled, signalled through, waited on, and useless once the process is reaped. */
#include "nos_test.h"
#include <poll.h>

#define P_PIDFD_ ((idtype_t)3)

int main(void)
{
	siginfo_t info;
	CHECK_ERRNO(syscall(434, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(434, -1, 0), EINVAL);
	CHECK_ERRNO(syscall(434, 4000000, 0), ESRCH);
	CHECK_ERRNO(syscall(434, getpid(), 1), EINVAL);
	pid_t child = (pid_t)OK(fork());
	if (child == 0)
		for (;;)
			pause();
	int fd = (int)OK(syscall(434, child, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	struct pollfd poller = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&poller, 1, 0), 0);
	OK(syscall(424, fd, 0, NULL, 0));
	CHECK_ERRNO(syscall(424, fd, SIGTERM, NULL, 1 << 30), EINVAL);
	CHECK_ERRNO(syscall(424, 0, SIGTERM, NULL, 0), EBADF);
	CHECK_ERRNO(waitid(P_PIDFD_, 0, &info, WEXITED), EBADF);
	OK(syscall(424, fd, SIGTERM, NULL, 0));
	CHECK_EQ(poll(&poller, 1, 5000), 1);
	CHECK_EQ(poller.revents, POLLIN);
	memset(&info, 0, sizeof info);
	OK(waitid(P_PIDFD_, fd, &info, WEXITED));
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGTERM);
	CHECK_ERRNO(syscall(424, fd, SIGTERM, NULL, 0), ESRCH);
	CHECK_ERRNO(waitid(P_PIDFD_, fd, &info, WEXITED), ECHILD);
	CHECK_ERRNO(read(fd, &info, 1), EINVAL);

	/* One comes with the child. */
	struct {
		uint64_t flags, pidfd, rest[2], exit_signal, more[6];
	} args = { 0x1000, (uint64_t)(uintptr_t)&fd, { 0 }, SIGCHLD, { 0 } };
	child = (pid_t)OK(syscall(435, &args, sizeof args));
	if (child == 0)
		_exit(3);
	poller.fd = fd;
	CHECK_EQ(poll(&poller, 1, 5000), 1);
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 3);

	/* A descriptor of /proc/<pid> can be signalled through, too. */
	fd = (int)OK(open("/proc/self", O_RDONLY | O_DIRECTORY));
	OK(syscall(424, fd, 0, NULL, 0));
	fd = (int)OK(open("/proc", O_RDONLY | O_DIRECTORY));
	CHECK_ERRNO(syscall(424, fd, 0, NULL, 0), EBADF);
	return 0;
}
