/* A mapping past the end of its file: SIGBUS; the rest of the last page is zero. */
#include "nos_test.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf out;
static volatile int sig_seen, code;

static void caught(int sig, siginfo_t *info, void *context)
{
	(void)context;
	sig_seen = sig;
	code = info->si_code;
	siglongjmp(out, 1);
}

int main(void)
{
	struct sigaction act = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };
	OK(sigaction(SIGBUS, &act, NULL));
	int fd = (int)OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	OK(write(fd, "hello", 5));
	char *m = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	CHECK_EQ(m[4], 'o');
	CHECK_EQ(m[5], 0);
	if (sigsetjmp(out, 1) == 0)
		(void)*(volatile char *)(m + 4096);
	CHECK_EQ(sig_seen, SIGBUS);
	CHECK_EQ(code, BUS_ADRERR);
	OK(ftruncate(fd, 8192));
	CHECK_EQ(m[4096], 0);
	m[4096] = 'z';
	char c;
	CHECK_EQ(pread(fd, &c, 1, 4096), 1);
	CHECK_EQ(c, 'z');
	/* A copy into the hole stops with EFAULT. */
	int zero = (int)OK(open("/dev/zero", O_RDONLY));
	CHECK_ERRNO(read(zero, m + 2 * 4096, 10), EFAULT);
	return 0;
}
