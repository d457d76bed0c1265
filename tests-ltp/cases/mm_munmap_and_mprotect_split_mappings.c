/* Holes, borders and errors of munmap and mprotect. */
#include "nos_test.h"
#include <setjmp.h>
#include <signal.h>

/* musl's own rounds its arguments. */
#define mprotect(addr, len, prot) syscall(SYS_mprotect, addr, len, prot)

static sigjmp_buf out;
static volatile int code;

static void caught(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	code = info->si_code;
	siglongjmp(out, 1);
}

/* The si_code of the fault that a read (or write) gives; 0 for none. */
static int touch(char *at, int write)
{
	code = 0;
	if (sigsetjmp(out, 1) == 0) {
		if (write)
			*(volatile char *)at = 1;
		else
			(void)*(volatile char *)at;
	}
	return code;
}

int main(void)
{
	struct sigaction act = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };
	OK(sigaction(SIGSEGV, &act, NULL));
	char *m = mmap(0, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	for (int i = 0; i < 8; i++)
		m[i * 4096] = i;
	CHECK_ERRNO(munmap(m + 1, 4096), EINVAL);
	CHECK_ERRNO(munmap(m, 0), EINVAL);
	CHECK_EQ(munmap(m + 2 * 4096, 4096), 0);
	CHECK_EQ(touch(m + 2 * 4096, 0), SEGV_MAPERR);
	CHECK_EQ(m[4096], 1);
	CHECK_EQ(m[3 * 4096], 3);
	CHECK_EQ(munmap(m + 2 * 4096, 4096), 0);
	/* mprotect stops at the hole, having changed what comes before. */
	CHECK_ERRNO(mprotect(m, 8 * 4096, PROT_READ), ENOMEM);
	CHECK_EQ(touch(m, 1), SEGV_ACCERR);
	CHECK_EQ(touch(m + 4096, 0), 0);
	CHECK_EQ(touch(m + 3 * 4096, 1), 0);
	CHECK_ERRNO(mprotect(m + 1, 4096, PROT_READ), EINVAL);
	CHECK_ERRNO(mprotect(m, 4096, 0x80), EINVAL);
	CHECK_EQ(mprotect(m, 0, PROT_READ), 0);
	CHECK_EQ(mprotect(m + 4 * 4096, 4096, PROT_NONE), 0);
	CHECK_EQ(touch(m + 4 * 4096, 0), SEGV_ACCERR);
	CHECK_EQ(touch(m + 5 * 4096, 1), 0);
	CHECK_EQ(mprotect(m + 4 * 4096, 4096, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(m[4 * 4096], 4);
	m[4 * 4096] = 44;
	CHECK_EQ(m[4 * 4096], 44);
	return 0;
}
