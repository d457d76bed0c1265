/* Random bytes differ, have the length asked for, and bad flags are EINVAL. */
#include "nos_test.h"
#include <sys/random.h>

int main(void)
{
	unsigned char one[300], two[300];
	CHECK_EQ(getrandom(one, 256, 0), 256);
	CHECK_EQ(getrandom(two, 256, GRND_NONBLOCK), 256);
	CHECK(memcmp(one, two, 256) != 0);
	CHECK_ERRNO(getrandom(one, 1, 0x100), EINVAL);
	CHECK_ERRNO(getrandom(KERNEL_ADDRESS, 16, 0), EFAULT);
	int fd = (int)OK(open("/dev/urandom", O_RDONLY));
	CHECK_EQ(read(fd, one, 300), 300);
	int zeros = 0;
	for (int i = 0; i < 300; i++)
		zeros += one[i] == 0;
	CHECK(zeros < 30);
	return 0;
}
