/* PR_SET_SYSCALL_USER_DISPATCH: calls become signals while a byte says so, in this thread alone, not in a child or a new program. */
#include "nos_test.h"
#include <sys/prctl.h>
#include <ucontext.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static volatile unsigned char selector;
static volatile int caught, code, number, architecture;
static void *volatile address;

static void on_call(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	selector = 0;
	caught++;
	code = info->si_code;
	number = info->si_syscall;
	architecture = (int)info->si_arch;
	address = info->si_call_addr;
	ucontext_t *registers = context;
	CHECK_EQ(registers->uc_mcontext.gregs[REG_RAX], number);
	CHECK_EQ(registers->uc_mcontext.gregs[REG_RIP], (intptr_t)address);
	registers->uc_mcontext.gregs[REG_RAX] = 4711;
}

static long set(unsigned long mode, unsigned long offset, unsigned long len, volatile void *byte)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, offset, len, byte);
}

static int ends_by(int signal, unsigned char value)
{
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(set(1, 0, 0, &selector));
		selector = value;
		syscall(SYS_getpid);
		_exit(0);
	}
	int status = test_wait(child);
	return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return 0;
	CHECK_ERRNO(set(2, 0, 0, NULL), EINVAL);
	CHECK_ERRNO(set(0, 1, 0, NULL), EINVAL);
	CHECK_ERRNO(set(0, 0, 0, &selector), EINVAL);
	CHECK_ERRNO(set(1, 1, -1UL, &selector), EINVAL);
	CHECK_ERRNO(set(1, 1, 0, &selector), EINVAL);
	CHECK_ERRNO(set(1, 0, 0, KERNEL_ADDRESS), EFAULT);

	struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO };
	OK(sigaction(SIGSYS, &action, NULL));
	OK(set(1, 0, 0, &selector));
	long self = syscall(SYS_getpid);
	selector = 1;
	long result = syscall(SYS_getpid);
	CHECK_EQ(result, 4711);
	CHECK_EQ(caught, 1);
	CHECK_EQ(code, 2);
	CHECK_EQ(number, SYS_getpid);
	CHECK_EQ((unsigned)architecture, 0xc000003eu);
	CHECK_EQ(syscall(SYS_getpid), self);

	/* Calls from the range are made, whatever the byte says. */
	OK(set(1, (unsigned long)address - 64, 128, &selector));
	selector = 1;
	result = syscall(SYS_getpid);
	selector = 0;
	CHECK_EQ(result, self);
	CHECK_EQ(caught, 1);

	/* A child starts without; so does a program. */
	OK(set(1, 0, 0, &selector));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		selector = 1;
		CHECK_EQ(syscall(SYS_getppid), self);
		_exit(caught == 1 ? 0 : 1);
	}
	CHECK_EQ(test_wait(child), 0);
	child = (pid_t)OK(fork());
	if (child == 0) {
		OK(set(1, 0, 0, &selector));
		OK(execl("/proc/self/exe", argv[0], "again", NULL));
	}
	CHECK_EQ(test_wait(child), 0);

	/* A byte that is neither, or that cannot be read, ends the process. */
	CHECK(ends_by(SIGSYS, 2));
	child = (pid_t)OK(fork());
	if (child == 0) {
		OK(set(1, 0, 0, UNMAPPED_ADDRESS));
		syscall(SYS_getpid);
		_exit(0);
	}
	int status = test_wait(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	OK(set(0, 0, 0, NULL));
	return 0;
}
