/* A handler sees the interrupted registers in its ucontext, and what it changes there takes effect. */
#include "nos_test.h"
#include <ucontext.h>

static volatile long trap_number, fault_address, error_code;
static volatile unsigned long r12_seen;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	(void)sig;
	fault_address = (long)info->si_addr;
	trap_number = uc->uc_mcontext.gregs[REG_TRAPNO];
	error_code = uc->uc_mcontext.gregs[REG_ERR];
	/* Skips the two-byte store. */
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 77;
}

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	CHECK_EQ(sig, SIGUSR1);
	CHECK_EQ(info->si_code, SI_TKILL);
	CHECK_EQ(((unsigned long)__builtin_frame_address(0)) % 16, 0);
	r12_seen = (unsigned long)uc->uc_mcontext.gregs[REG_R12];
	sigaddset(&uc->uc_sigmask, SIGUSR2);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	OK(sigaction(SIGSEGV, &action, NULL));
	unsigned long rbx = 5;
	char *bad = (char *)0x123450;
	__asm__ volatile("mov %%eax, (%%rcx)" : "+b"(rbx) : "c"(bad), "a"(1) : "memory");
	CHECK_EQ(rbx, 77);
	CHECK_EQ(fault_address, 0x123450);
	CHECK_EQ(trap_number, 14);
	CHECK_EQ(error_code, 6);

	action.sa_sigaction = on_usr1;
	OK(sigaction(SIGUSR1, &action, NULL));
	long result;
	pid_t pid = getpid();
	__asm__ volatile("mov $0x1122334455667788, %%r12\n\tsyscall"
			 : "=a"(result)
			 : "a"(SYS_tgkill), "D"((long)pid), "S"((long)pid), "d"((long)SIGUSR1)
			 : "rcx", "r11", "r12", "memory");
	CHECK_EQ(result, 0);
	CHECK_EQ(r12_seen, 0x1122334455667788);
	sigset_t now;
	OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK(sigismember(&now, SIGUSR2) == 1);
	return 0;
}
