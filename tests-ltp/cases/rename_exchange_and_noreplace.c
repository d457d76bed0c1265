/* renameat2's flags: NOREPLACE refuses, EXCHANGE swaps. */
#include "nos_test.h"

int main(void)
{
	test_write_file("a", "A");
	test_write_file("b", "B");
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1), EEXIST);
	OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2));
	CHECK_STR(test_read_file("a"), "B");
	CHECK_STR(test_read_file("b"), "A");
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 2), ENOENT);
	OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 1));
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "c", AT_FDCWD, "b", 3), EINVAL);
	return 0;
}
