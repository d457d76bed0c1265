/* clone and clone3 refuse combinations that mean nothing, and sizes of another version. */
#include "nos_test.h"
#include <sched.h>

struct args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
	uint64_t beyond;
};

static long clone3(struct args *args, size_t size)
{
	return syscall(435, args, size);
}

int main(void)
{
	CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);

	struct args args = { .exit_signal = SIGCHLD };
	CHECK_ERRNO(clone3(&args, 63), EINVAL);
	CHECK_ERRNO(clone3(&args, 8192), E2BIG);
	CHECK_ERRNO(clone3(UNMAPPED_ADDRESS, 88), EFAULT);
	args.beyond = 1;
	CHECK_ERRNO(clone3(&args, sizeof args), E2BIG);
	args = (struct args){ .exit_signal = 65 };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);
	args = (struct args){ .exit_signal = 0x100 };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);
	args = (struct args){ .flags = SIGCHLD };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);
	args = (struct args){ .exit_signal = SIGCHLD, .stack = 4096 };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);
	args = (struct args){ .exit_signal = SIGCHLD, .stack_size = 4096 };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);
	args = (struct args){ .flags = 1ULL << 40, .exit_signal = SIGCHLD };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);
	args = (struct args){ .flags = CLONE_PARENT, .exit_signal = SIGCHLD };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);
	args = (struct args){ .flags = CLONE_DETACHED, .exit_signal = SIGCHLD };
	CHECK_ERRNO(clone3(&args, 88), EINVAL);

	/* The smallest version works, and zeros beyond the largest do too. */
	args = (struct args){ .exit_signal = SIGCHLD };
	for (size_t size = 64; size <= sizeof args; size += sizeof args - 64) {
		pid_t child = (pid_t)OK(clone3(&args, size));
		if (child == 0)
			_exit(7);
		CHECK_EQ(WEXITSTATUS(test_wait(child)), 7);
	}
	return 0;
}
