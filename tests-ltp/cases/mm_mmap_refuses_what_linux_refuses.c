/* mmap's errors, in the order in which Linux finds them. */
#include "nos_test.h"

static void *map(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, off);
}

int main(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	CHECK_ERRNO((long)map(0, 0, PROT_READ, anon, -1, 0), EINVAL);
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, anon, -1, 123), EINVAL);
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((long)map(0, -1UL, PROT_READ, anon, -1, 0), ENOMEM);
	CHECK_ERRNO((long)map(0, 1UL << 47, PROT_READ, anon, -1, 0), ENOMEM);
	CHECK_ERRNO((long)map((void *)0x10001, 4096, PROT_READ, anon | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO((long)map((void *)-4096L, 4096, PROT_READ, anon | MAP_FIXED, -1, 0), ENOMEM);

	int wr = (int)OK(open("wr", O_WRONLY | O_CREAT | O_TRUNC, 0600));
	OK(write(wr, "x", 1));
	int rd = (int)OK(open("wr", O_RDONLY));
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_PRIVATE, wr, 0), EACCES);
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_SHARED, wr, 0), EACCES);
	CHECK_ERRNO((long)map(0, 4096, PROT_WRITE, MAP_SHARED, rd, 0), EACCES);
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, 0, rd, 0), EINVAL);
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_PRIVATE, rd, -4096), EOVERFLOW);
	/* A shared mapping of a file open for reading never becomes writable. */
	char *page = map(0, 4096, PROT_READ, MAP_SHARED, rd, 0);
	CHECK(page != MAP_FAILED);
	CHECK_ERRNO(mprotect(page, 4096, PROT_READ | PROT_WRITE), EACCES);
	/* A private one does. */
	page = map(0, 4096, PROT_READ, MAP_PRIVATE, rd, 0);
	CHECK_EQ(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
	page[0] = 'y';
	char c;
	CHECK_EQ(pread(rd, &c, 1, 0), 1);
	CHECK_EQ(c, 'x');

	int dir = (int)OK(open("/", O_RDONLY));
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
	int pipe_fds[2];
	OK(pipe(pipe_fds));
	CHECK_ERRNO((long)map(0, 4096, PROT_READ, MAP_PRIVATE, pipe_fds[0], 0), ENODEV);

	page = map(0, 8192, PROT_READ, anon, -1, 0);
	CHECK_ERRNO((long)map(page, 4096, PROT_READ, anon | 0x100000, -1, 0), EEXIST);
	CHECK_EQ((long)map(page, 4096, PROT_READ | PROT_WRITE, anon | MAP_FIXED, -1, 0), (long)page);
	return 0;
}
