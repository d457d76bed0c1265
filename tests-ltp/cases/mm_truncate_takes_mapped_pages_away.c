/* What a mapping shows of a file that was cut short: SIGBUS, and zeros once it grows again. */
#include "nos_test.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf out;
static volatile int sig_seen;

static void caught(int sig)
{
	sig_seen = sig;
	siglongjmp(out, 1);
}

int main(void)
{
	signal(SIGBUS, caught);
	int fd = (int)OK(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	OK(ftruncate(fd, 3 * 4096));
	char *shared = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	memset(shared, 'a', 3 * 4096);
	CHECK_EQ(private[8192], 'a');
	private[4096] = 'b';
	OK(ftruncate(fd, 4096));
	if (sigsetjmp(out, 1) == 0)
		(void)*(volatile char *)(shared + 8192);
	CHECK_EQ(sig_seen, SIGBUS);
	sig_seen = 0;
	if (sigsetjmp(out, 1) == 0)
		(void)*(volatile char *)(private + 4096);
	CHECK_EQ(sig_seen, SIGBUS);
	OK(ftruncate(fd, 3 * 4096));
	CHECK_EQ(shared[4096], 0);
	CHECK_EQ(private[8192], 0);
	CHECK_EQ(shared[0], 'a');
	return 0;
}
