/* mlock and its limits; mincore; msync. */
#include "nos_test.h"
#include <sys/resource.h>

int main(void)
{
	char *m = mmap(0, 32 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	unsigned char vec[32];
	CHECK_EQ(mincore(m, 32 * 4096, vec), 0);
	CHECK_EQ(vec[0] & 1, 0);
	CHECK_EQ(mlock(m, 4 * 4096), 0);
	CHECK_EQ(mincore(m, 32 * 4096, vec), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(vec[i] & 1, 1);
	CHECK_EQ(vec[4] & 1, 0);
	CHECK_ERRNO(madvise(m, 4096, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(msync(m, 4096, MS_INVALIDATE | MS_SYNC), EBUSY);
	CHECK_EQ(munlock(m, 4 * 4096), 0);
	CHECK_EQ(madvise(m, 4096, MADV_DONTNEED), 0);
	CHECK_ERRNO(mincore(m + 1, 4096, vec), EINVAL);
	CHECK_ERRNO(mincore(m, 4096, (unsigned char *)8), EFAULT);
	CHECK_ERRNO(msync(m, 4096, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(m + 1, 4096, MS_SYNC), EINVAL);
	OK(munmap(m + 8 * 4096, 4096));
	CHECK_ERRNO(mlock(m + 7 * 4096, 4 * 4096), ENOMEM);
	CHECK_ERRNO(mincore(m + 7 * 4096, 4 * 4096, vec), ENOMEM);
	CHECK_ERRNO(msync(m + 7 * 4096, 4 * 4096, MS_SYNC), ENOMEM);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	char *n = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(mincore(n, 4 * 4096, vec), 0);
	CHECK_EQ(vec[3] & 1, 1);
	CHECK_EQ(munlockall(), 0);
	CHECK_ERRNO(mlockall(0), EINVAL);
	/* Without privilege the limit counts. */
	struct rlimit limit = { 16 * 4096, 16 * 4096 };
	OK(setrlimit(RLIMIT_MEMLOCK, &limit));
	OK(setuid(1000));
	CHECK_EQ(mlock(n, 4 * 4096), 0);
	char *big = mmap(0, 32 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERRNO(mlock(big, 32 * 4096), ENOMEM);
	CHECK_ERRNO((long)mmap(0, 32 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
	return 0;
}
