/* A handler that returns to an address that is none: SIGSEGV, whose context shows the registers returned with. */
#include "nos_test.h"
#include <ucontext.h>

static greg_t bad;
static volatile int caught;
static gregset_t good;

static void on_fault(int number, siginfo_t *info, void *argument)
{
	ucontext_t *context = argument;
	greg_t *registers = context->uc_mcontext.gregs;
	CHECK_EQ(number, SIGSEGV);
	/* The return itself faults, or, under an emulator, the first fetch. */
	CHECK(info->si_code == SI_KERNEL || info->si_code == SEGV_MAPERR);
	CHECK_EQ(registers[REG_RIP], bad);
	CHECK_EQ(registers[REG_RBX], 0x1234);
	CHECK_EQ(registers[REG_RAX], 0x5678);
	memcpy(registers, good, sizeof good);
	caught++;
}

static void on_signal(int number, siginfo_t *info, void *argument)
{
	(void)number;
	(void)info;
	greg_t *registers = ((ucontext_t *)argument)->uc_mcontext.gregs;
	memcpy(good, registers, sizeof good);
	registers[REG_RIP] = bad;
	registers[REG_RBX] = 0x1234;
	registers[REG_RAX] = 0x5678;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	OK(sigaction(SIGUSR1, &action, NULL));
	action.sa_sigaction = on_fault;
	OK(sigaction(SIGSEGV, &action, NULL));
	for (int bit = 47; bit < 64; bit++) {
		bad = (greg_t)(1UL << bit);
		raise(SIGUSR1);
		CHECK_EQ(caught, bit - 46);
	}

	/* Without a handler it is the end; so is a handler at such an address. */
	for (int i = 0; i < 2; i++) {
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			signal(SIGSEGV, SIG_DFL);
			if (i == 1)
				signal(SIGUSR1, (void (*)(int))0x800000000000);
			raise(SIGUSR1);
			_exit(0);
		}
		int status = test_wait(child);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), SIGSEGV);
	}
	return 0;
}
