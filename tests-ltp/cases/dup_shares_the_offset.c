/* dup, dup2, dup3 and fcntl share one open file; O_CLOEXEC is per descriptor. */
#include "nos_test.h"

int main(void)
{
	test_write_file("f", "0123456789");
	int one = (int)OK(open("f", O_RDONLY)), two = (int)OK(dup(one));
	char byte;
	CHECK_EQ(read(one, &byte, 1), 1);
	CHECK_EQ(read(two, &byte, 1), 1);
	CHECK_EQ(byte, '1');
	CHECK_EQ(dup2(one, one), one);
	CHECK_ERRNO(dup3(one, one, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_dup3, one, 50, 0x12345), EINVAL);
	CHECK_ERRNO(dup2(99, 100), EBADF);
	CHECK_ERRNO(dup2(one, -1), EBADF);
	CHECK_ERRNO(dup2(one, 1 << 30), EBADF);
	CHECK_EQ(dup3(one, 40, O_CLOEXEC), 40);
	CHECK_EQ(fcntl(40, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(one, F_DUPFD, 30), 30);
	CHECK_EQ(fcntl(one, F_DUPFD, 30), 31);
	CHECK_EQ(fcntl(one, F_DUPFD_CLOEXEC, 30), 32);
	CHECK_EQ(fcntl(32, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(fcntl(one, F_DUPFD, -1), EINVAL);
	OK(close(30));
	CHECK_EQ(dup(one), two + 1);
	return 0;
}
