/* A handler on the alternate stack sees the SIGSEGV of a stack overflow. */
#include "nos_test.h"
#include <setjmp.h>

static sigjmp_buf out;
static char alternate[65536];

static void handler(int number, siginfo_t *info, void *context)
{
	char local;
	(void)context;
	int inside = &local >= alternate && &local < alternate + sizeof alternate;
	siglongjmp(out, number == SIGSEGV && info->si_addr && inside ? 1 : 2);
}

static int recurse(volatile char *from)
{
	volatile char page[4096];
	page[0] = *from;
	return recurse(page) + page[0];
}

int main(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	char start = 1;
	OK(sigaltstack(&stack, NULL));
	OK(sigaction(SIGSEGV, &action, NULL));
	int got = sigsetjmp(out, 1);
	if (got == 0)
		return recurse(&start);
	CHECK_EQ(got, 1);
	return 0;
}
