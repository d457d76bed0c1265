/* MAP_FIXED replaces what was there, MAP_FIXED_NOREPLACE does not. */
#include "nos_test.h"

int main(void)
{
	char *at = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at != MAP_FAILED);
	memset(at, 'x', 3 * 4096);
	CHECK_ERRNO((long)mmap(at + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_EQ(mmap(at + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at + 4096);
	CHECK_EQ(at[0], 'x');
	CHECK_EQ(at[4096], 0);
	CHECK_EQ(at[8192], 'x');
	CHECK_ERRNO((long)mmap(at + 1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	return 0;
}
