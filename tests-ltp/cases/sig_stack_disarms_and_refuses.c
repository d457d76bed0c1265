/* sigaltstack(2): what it reports, refuses, and SS_AUTODISARM. */
#include "nos_test.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char memory[65536], spare[65536];
static stack_t inside;
static int change_error;

static void on_signal(int sig)
{
	(void)sig;
	char here;
	CHECK(&here >= memory && &here < memory + sizeof memory);
	OK(sigaltstack(NULL, &inside));
	stack_t other = { .ss_sp = spare, .ss_size = sizeof spare };
	change_error = sigaltstack(&other, NULL) == 0 ? 0 : errno;
}

int main(void)
{
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof memory }, old;
	OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	OK(sigaltstack(&stack, NULL));
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ(inside.ss_flags, SS_ONSTACK);
	CHECK_EQ(change_error, EPERM);
	OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, 0);
	CHECK(old.ss_sp == memory);

	stack.ss_flags = (int)SS_AUTODISARM;
	OK(sigaltstack(&stack, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ(inside.ss_flags, SS_DISABLE);
	CHECK_EQ(change_error, 0);
	OK(sigaltstack(NULL, &old));
	CHECK_EQ((unsigned)old.ss_flags, SS_AUTODISARM);

	stack.ss_flags = 0;
	stack.ss_size = 1024;
	CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_size = sizeof memory;
	stack.ss_flags = 0x10;
	CHECK_ERRNO(sigaltstack(&stack, NULL), EINVAL);
	stack.ss_flags = SS_DISABLE;
	OK(sigaltstack(&stack, NULL));
	OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	return 0;
}
