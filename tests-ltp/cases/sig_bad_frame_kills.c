/* rt_sigreturn from a broken frame, and a handler without a stack, end in SIGSEGV; never in anything worse. */
#include "nos_test.h"
#include <ucontext.h>

static void spoil_rip(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000;
}

static void spoil_segments(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_CSGSFS] = 0x10;
}

static void fine(int sig)
{
	(void)sig;
}

static void expect_segv(pid_t pid)
{
	int status = test_wait(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

int main(void)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		struct sigaction action = { .sa_sigaction = spoil_rip, .sa_flags = SA_SIGINFO };
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	expect_segv(pid);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		struct sigaction action = { .sa_sigaction = spoil_segments, .sa_flags = SA_SIGINFO };
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	expect_segv(pid);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		/* No frame at all. */
		__asm__ volatile("mov $8, %%rsp\n\tsyscall" : : "a"(SYS_rt_sigreturn) : "memory");
		__builtin_unreachable();
	}
	expect_segv(pid);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		signal(SIGUSR1, fine);
		signal(SIGSEGV, fine);
		long self = getpid();
		__asm__ volatile("mov $8, %%rsp\n\tsyscall"
				 : : "a"(SYS_tgkill), "D"(self), "S"(self), "d"((long)SIGUSR1)
				 : "memory");
		__builtin_unreachable();
	}
	expect_segv(pid);
	return 0;
}
