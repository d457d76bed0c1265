/* mremap grows in place or moves, and keeps the content. */
#include "nos_test.h"

int main(void)
{
	char *from = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(from != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		from[i * 4096] = 'a' + i;
	CHECK_EQ(mremap(from, 4 * 4096, 2 * 4096, 0), from);
	CHECK_ERRNO(mremap(from + 1, 4096, 8192, 0), EINVAL);
	CHECK_ERRNO(mremap(from, 8192, 0, 0), EINVAL);
	char *to = mremap(from, 2 * 4096, 64 * 4096, MREMAP_MAYMOVE);
	CHECK(to != MAP_FAILED);
	CHECK_EQ(to[0], 'a');
	CHECK_EQ(to[4096], 'b');
	CHECK_EQ(to[2 * 4096], 0);
	char *hole = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(hole != MAP_FAILED);
	CHECK_EQ(mremap(to, 64 * 4096, 64 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, hole), hole);
	CHECK_EQ(hole[4096], 'b');
	CHECK_ERRNO(mremap((void *)0x10000, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
	return 0;
}
