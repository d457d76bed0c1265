/* statfs is quick however often it is called, and right at once after a removal. */
#include "nos_test.h"
#include <sys/statfs.h>

static char data[1 << 20];

int main(void)
{
	struct statfs before, full, after;
	struct timespec start, end;
	OK(statfs(".", &before));
	int fd = OK(open("file", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(write(fd, data, sizeof data), sizeof data);
	OK(close(fd));
	OK(statfs(".", &full));
	CHECK(full.f_bfree < before.f_bfree);
	OK(unlink("file"));
	OK(clock_gettime(CLOCK_MONOTONIC, &start));
	for (int i = 0; i < 2000; i++)
		OK(statfs(".", &after));
	OK(clock_gettime(CLOCK_MONOTONIC, &end));
	CHECK(after.f_bfree > full.f_bfree);
	CHECK(end.tv_sec - start.tv_sec < 4);
	return 0;
}
