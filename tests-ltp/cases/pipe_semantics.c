/* A pipe is a byte stream: EOF without writers, EPIPE without readers, EAGAIN when full. */
#include "nos_test.h"

int main(void)
{
	int ends[2];
	char buffer[65536];
	OK(pipe2(ends, O_NONBLOCK));
	CHECK_ERRNO(read(ends[0], buffer, 1), EAGAIN);
	size_t total = 0;
	ssize_t written;
	while ((written = write(ends[1], buffer, 4096)) > 0)
		total += written;
	CHECK_EQ(written, -1);
	CHECK_EQ(total, 65536);
	/* A write of up to PIPE_BUF bytes is all or nothing. */
	CHECK_EQ(read(ends[0], buffer, 100), 100);
	errno = 0;
	CHECK_EQ(write(ends[1], buffer, 4096), -1);
	CHECK_EQ(read(ends[0], buffer, 65536), 65436);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	OK(close(ends[1]));
	CHECK_EQ(read(ends[0], buffer, 10), 3);
	CHECK_EQ(read(ends[0], buffer, 10), 0);
	OK(close(ends[0]));

	signal(SIGPIPE, SIG_IGN);
	OK(pipe(ends));
	OK(close(ends[0]));
	CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
	CHECK_ERRNO(lseek(ends[1], 0, SEEK_CUR), ESPIPE);
	return 0;
}
