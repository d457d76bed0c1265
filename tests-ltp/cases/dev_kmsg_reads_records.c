/* /dev/kmsg takes messages and gives them back, a record a read. */
#include "nos_test.h"
#include <poll.h>

int main(void)
{
	char record[8192], mark[64];
	int fd = (int)OK(open("/dev/kmsg", O_RDWR | O_NONBLOCK));
	OK(lseek(fd, 0, SEEK_END));
	CHECK_ERRNO(read(fd, record, sizeof record), EAGAIN);
	snprintf(mark, sizeof mark, "<14>nos test %d\n", getpid());
	CHECK_EQ(write(fd, mark, strlen(mark)), strlen(mark));
	struct pollfd item = { .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&item, 1, 3000), 1);
	snprintf(mark, sizeof mark, "nos test %d\n", getpid());
	for (;;) {
		ssize_t n = OK(read(fd, record, sizeof record - 1));
		record[n] = '\0';
		char *text = strchr(record, ';');
		CHECK(text);
		if (strcmp(text + 1, mark) == 0)
			break;
	}
	unsigned priority;
	unsigned long long sequence, time;
	CHECK_EQ(sscanf(record, "%u,%llu,%llu,", &priority, &sequence, &time), 3);
	CHECK_EQ(priority, 14);
	OK(lseek(fd, 0, SEEK_SET));
	CHECK_ERRNO(read(fd, record, 4), EINVAL);
	return 0;
}
