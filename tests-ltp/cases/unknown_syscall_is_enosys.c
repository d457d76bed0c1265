/* A system call number that does not exist gives ENOSYS. */
#include "nos_test.h"

int main(void)
{
	CHECK_ERRNO(syscall(1000), ENOSYS);
	CHECK_ERRNO(syscall(-2), ENOSYS);
	CHECK_ERRNO(syscall(0x7fffffff), ENOSYS);
	return 0;
}
