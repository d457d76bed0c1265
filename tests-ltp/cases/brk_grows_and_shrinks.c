/* brk moves the end of the heap; new pages are zero. */
#include "nos_test.h"

int main(void)
{
	char *start = (char *)syscall(SYS_brk, 0);
	CHECK(start != NULL);
	CHECK_EQ(syscall(SYS_brk, start + 3 * 4096), start + 3 * 4096);
	for (int i = 0; i < 3 * 4096; i++)
		CHECK_EQ(start[i], 0);
	memset(start, 'x', 3 * 4096);
	CHECK_EQ(syscall(SYS_brk, start), start);
	CHECK_EQ(syscall(SYS_brk, start + 4096), start + 4096);
	CHECK_EQ(start[0], 0);
	/* A wish that cannot be met leaves it where it is. */
	CHECK_EQ(syscall(SYS_brk, (char *)0x7fffffffffff), start + 4096);
	return 0;
}
