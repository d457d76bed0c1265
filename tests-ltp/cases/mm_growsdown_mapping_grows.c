/* MAP_GROWSDOWN: grows down to the guard gap of what is below. */
#include "nos_test.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf out;
static volatile int seen;

static void caught(int sig)
{
	seen = sig;
	siglongjmp(out, 1);
}

int main(void)
{
	static char alternate[65536];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	OK(sigaltstack(&stack, NULL));
	struct sigaction act = { .sa_handler = caught, .sa_flags = SA_ONSTACK };
	OK(sigaction(SIGSEGV, &act, NULL));
	const size_t room = 8 << 20;
	char *low = mmap(0, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(low != MAP_FAILED);
	OK(munmap(low, room));
	/* Something accessible at the bottom. */
	CHECK_EQ((long)mmap(low, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (long)low);
	char *top = low + room - 4096;
	CHECK_EQ((long)mmap(top, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0), (long)top);
	top[-1] = 1;
	top[-3 * 4096] = 2;
	CHECK_EQ(top[-1], 1);
	/* 1 MiB above the mapping below is out of bounds. */
	if (sigsetjmp(out, 1) == 0)
		*(volatile char *)(low + 4096 + 4096) = 1;
	CHECK_EQ(seen, SIGSEGV);
	low[2 << 20] = 3;
	CHECK_EQ(low[2 << 20], 3);
	return 0;
}
