/* mprotect removes and gives back the right to write; SIGSEGV says SEGV_ACCERR. */
#include "nos_test.h"
#include <setjmp.h>

static sigjmp_buf out;
static volatile int code;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	code = info->si_code;
	siglongjmp(out, 1);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	volatile char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	OK(sigaction(SIGSEGV, &action, NULL));
	page[4096] = 1;
	OK(mprotect((void *)(page + 4096), 4096, PROT_READ));
	if (sigsetjmp(out, 1) == 0) {
		page[4096] = 2;
		FAIL("the write went through");
	}
	CHECK_EQ(code, SEGV_ACCERR);
	page[0] = page[8192] = 3;
	CHECK_EQ(page[4096], 1);
	OK(mprotect((void *)(page + 4096), 4096, PROT_READ | PROT_WRITE));
	page[4096] = 4;
	OK(munmap((void *)(page + 4096), 4096));
	if (sigsetjmp(out, 1) == 0) {
		page[4096] = 5;
		FAIL("the page is still mapped");
	}
	CHECK_EQ(code, SEGV_MAPERR);
	CHECK_ERRNO(mprotect((void *)page, 3 * 4096, PROT_READ), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mprotect, page + 1, 4096, PROT_READ), EINVAL);
	return 0;
}
