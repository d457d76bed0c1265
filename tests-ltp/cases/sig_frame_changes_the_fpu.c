/* What a handler changes in the frame's floating-point image is what the program goes on with; a handler starts with a fresh state. */
#include "nos_test.h"
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#define MXCSR_FRESH 0x1f80

static volatile uint32_t mxcsr_in_handler, set_mxcsr;
static volatile int lose_header;
static volatile uint64_t xmm_in_handler;

static uint32_t get_mxcsr(void)
{
	uint32_t value;
	__asm__ volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t xmm;
	__asm__ volatile("movq %%xmm9, %0" : "=r"(xmm));
	xmm_in_handler = xmm;
	mxcsr_in_handler = get_mxcsr();
	/* The FXSAVE layout: MXCSR at 24, XMM9 at 160 + 9 * 16. */
	char *image = (char *)uc->uc_mcontext.fpregs;
	memcpy(image + 24, (void *)&set_mxcsr, 4);
	uint64_t changed = 0x1234567890abcdef;
	memcpy(image + 160 + 9 * 16, &changed, 8);
	if (lose_header)
		memset(image + 464, 0, 4);
	/* Registers of the handler's own are not the program's. */
	__asm__ volatile("pxor %%xmm9, %%xmm9" ::: "xmm9");
}

static uint64_t raise_with_xmm9(uint64_t value)
{
	uint64_t after;
	register long pid __asm__("rdi") = getpid();
	register long sig __asm__("rsi") = SIGUSR1;
	long nr = 62;
	__asm__ volatile("movq %2, %%xmm9\n\tsyscall\n\tmovq %%xmm9, %1"
			 : "+a"(nr), "=r"(after)
			 : "r"(value), "r"(pid), "r"(sig)
			 : "rcx", "r11", "xmm9", "memory");
	CHECK_EQ(nr, 0);
	return after;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	uint32_t own = 0x3f80;
	OK(sigaction(SIGUSR1, &action, NULL));
	for (lose_header = 0; lose_header < 2; lose_header++) {
		__asm__ volatile("ldmxcsr %0" : : "m"(own));
		set_mxcsr = 0x5f80;
		CHECK(raise_with_xmm9(42) == 0x1234567890abcdef);
		CHECK_EQ(mxcsr_in_handler, MXCSR_FRESH);
		CHECK_EQ(xmm_in_handler, 0);
		CHECK_EQ(get_mxcsr(), 0x5f80);
	}
	return 0;
}
