/* readv and writev gather and scatter; bad counts and lengths are EINVAL. */
#include "nos_test.h"
#include <limits.h>
#include <sys/uio.h>

int main(void)
{
	char a[3], b[4];
	struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } }, in[2] = { { a, 3 }, { b, 4 } };
	int fd = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(writev(fd, out, 2), 7);
	OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(readv(fd, in, 2), 7);
	CHECK(memcmp(b, "defg", 4) == 0);
	CHECK_EQ(preadv(fd, in, 2, 4), 3);
	CHECK(memcmp(a, "efg", 3) == 0);
	CHECK_EQ(writev(fd, out, 0), 0);
	CHECK_ERRNO(syscall(SYS_writev, fd, out, -1), EINVAL);
	CHECK_ERRNO(syscall(SYS_writev, fd, out, IOV_MAX + 1), EINVAL);
	out[1].iov_len = (size_t)-1;
	CHECK_ERRNO(syscall(SYS_writev, fd, out, 2), EINVAL);
	return 0;
}
