/* A pointer to kernel or unmapped memory gets EFAULT. */
#include "nos_test.h"
#include <sys/uio.h>

int main(void)
{
	void *bad[] = { KERNEL_ADDRESS, UNMAPPED_ADDRESS, (void *)0x800000000000UL, (void *)-1L };
	int ends[2], zero = (int)OK(open("/dev/zero", O_RDONLY));
	OK(pipe(ends));
	CHECK_EQ(write(ends[1], "data", 4), 4);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK_ERRNO(write(ends[1], bad[i], 16), EFAULT);
		CHECK_ERRNO(read(ends[0], bad[i], 4), EFAULT);
		CHECK_ERRNO(read(zero, bad[i], 4096), EFAULT);
		CHECK_ERRNO(open(bad[i], O_RDONLY), EFAULT);
		CHECK_ERRNO(syscall(SYS_pipe, bad[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_stat, "/", bad[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_execve, bad[i], NULL, NULL), EFAULT);
		CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, bad[i], NULL, 8), EFAULT);
		CHECK_ERRNO(syscall(SYS_nanosleep, bad[i], NULL), EFAULT);
		CHECK_ERRNO(syscall(SYS_getcwd, bad[i], 64), EFAULT);
		CHECK_ERRNO(syscall(SYS_uname, bad[i]), EFAULT);
		CHECK_ERRNO(readv(zero, bad[i], 1), EFAULT);
	}
	return 0;
}
