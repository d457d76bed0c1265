/* process_mrelease takes the memory of a process that was killed; process_madvise advises another. */
#include "nos_test.h"
#include <sys/uio.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#define SIZE (8 << 20)

static pid_t with_memory(char *memory)
{
	int ends[2];
	char byte;
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		memset(memory, 1, SIZE);
		OK(write(ends[1], "", 1));
		for (;;)
			pause();
	}
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	OK(close(ends[0]));
	OK(close(ends[1]));
	return child;
}

/* Unless it has given its memory up by itself already. */
static void release(int fd)
{
	if (syscall(SYS_process_mrelease, fd, 0) != 0 && errno != ESRCH)
		FAIL("process_mrelease: %s", strerror(errno));
}

int main(void)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	pid_t child = with_memory(memory);
	int fd = (int)OK(syscall(SYS_pidfd_open, child, 0));
	CHECK_ERRNO(syscall(SYS_process_mrelease, fd, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_mrelease, fd, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_mrelease, 0, 0), EBADF);

	struct iovec parts[] = { { memory, 4096 }, { memory + 8192, 8192 } };
	CHECK_EQ(syscall(SYS_process_madvise, fd, parts, 2, MADV_COLD, 0), 12288);
	CHECK_EQ(syscall(SYS_process_madvise, fd, parts, 2, MADV_PAGEOUT, 0), 12288);
	CHECK_EQ(syscall(SYS_process_madvise, fd, parts, 0, MADV_COLD, 0), 0);
	CHECK_ERRNO(syscall(SYS_process_madvise, fd, parts, 2, MADV_DONTNEED, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, fd, parts, 2, MADV_COLD, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, 0, parts, 2, MADV_COLD, 0), EBADF);
	parts[1].iov_base = memory + SIZE;
	parts[1].iov_len = 1L << 40;
	CHECK_EQ(syscall(SYS_process_madvise, fd, parts, 2, MADV_COLD, 0), 4096);
	parts[0].iov_base = memory + 1;
	CHECK_ERRNO(syscall(SYS_process_madvise, fd, parts, 2, MADV_COLD, 0), EINVAL);

	OK(kill(child, SIGKILL));
	release(fd);
	CHECK_EQ(test_wait(child), SIGKILL);
	CHECK_ERRNO(syscall(SYS_process_mrelease, fd, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_process_madvise, fd, parts, 1, MADV_COLD, 0), ESRCH);
	OK(close(fd));

	/* Many times, as it races with the end of the process. */
	for (int round = 0; round < 50; round++) {
		child = with_memory(memory);
		fd = (int)OK(syscall(SYS_pidfd_open, child, 0));
		OK(kill(child, SIGKILL));
		release(fd);
		CHECK_EQ(test_wait(child), SIGKILL);
		OK(close(fd));
	}
	return 0;
}
