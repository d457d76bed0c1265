/* A pipe holds 16 pages by default, can be resized, and never splits writes of up to PIPE_BUF bytes. */
#include "nos_test.h"
#include <sys/ioctl.h>

static char page[4096];

int main(void)
{
	int p[2];
	OK(pipe2(p, O_NONBLOCK));
	CHECK_EQ(OK(fcntl(p[0], F_GETPIPE_SZ)), 65536);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(write(p[1], page, sizeof page), 4096);
	CHECK_ERRNO(write(p[1], page, 1), EAGAIN);
	CHECK_ERRNO(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 100000), 131072);
	CHECK_EQ(write(p[1], page, sizeof page), 4096);
	/* One free byte is not room for a page. */
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 69633), 131072);
	CHECK_EQ(read(p[0], page, 4096), 4096);

	/* Small writes share a page. */
	int q[2];
	OK(pipe2(q, O_NONBLOCK));
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(write(q[1], "x", 1), 1);
	OK(fcntl(q[1], F_SETPIPE_SZ, 4096));
	CHECK_ERRNO(write(q[1], "x", 1), EAGAIN);

	/* A write over PIPE_BUF may be short, one of PIPE_BUF may not. */
	int r[2];
	char big[5000];
	memset(big, 'b', sizeof big);
	OK(pipe2(r, O_NONBLOCK));
	OK(fcntl(r[1], F_SETPIPE_SZ, 8192));
	CHECK_EQ(write(r[1], big, 4096), 4096);
	CHECK_EQ(write(r[1], big, 5000), 4096);
	int n;
	OK(ioctl(r[0], FIONREAD, &n));
	CHECK_EQ(n, 8192);
	return 0;
}
