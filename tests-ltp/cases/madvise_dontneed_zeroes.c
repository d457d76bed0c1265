/* After MADV_DONTNEED a private anonymous page reads as zero. */
#include "nos_test.h"

int main(void)
{
	char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at != MAP_FAILED);
	memset(at, 'x', 8192);
	OK(madvise(at, 4096, MADV_DONTNEED));
	CHECK_EQ(at[0], 0);
	CHECK_EQ(at[4096], 'x');
	CHECK_ERRNO(madvise(at + 1, 4096, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(at, 4096, 12345), EINVAL);
	return 0;
}
