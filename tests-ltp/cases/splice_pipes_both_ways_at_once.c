/* Two processes splice between the same two pipes in opposite directions, and a third tees: nobody waits for ever, and no byte is
   lost or made. */
#include "nos_test.h"
#include <sys/ioctl.h>

#define ROUNDS 20000
#define BYTES 10000

static void may_have_to_wait(ssize_t moved)
{
	int error = moved < 0 ? errno : EAGAIN;
	CHECK_EQ(error, EAGAIN);
}

static void move(int from, int to)
{
	for (int i = 0; i < ROUNDS; i++)
		may_have_to_wait(splice(from, NULL, to, NULL, 1 + i % 5000, SPLICE_F_NONBLOCK));
	_exit(0);
}

int main(void)
{
	int a[2], b[2], c[2], left = 0, there = 0;
	static char bytes[65536];
	OK(pipe(a));
	OK(pipe(b));
	OK(pipe(c));
	memset(bytes, 'x', sizeof bytes);
	CHECK_EQ(write(a[1], bytes, BYTES), BYTES);
	if (OK(fork()) == 0)
		move(a[0], b[1]);
	if (OK(fork()) == 0)
		move(b[0], a[1]);
	if (OK(fork()) == 0) {
		OK(fcntl(c[0], F_SETFL, O_NONBLOCK));
		for (int i = 0; i < ROUNDS / 4; i++) {
			may_have_to_wait(tee(a[0], c[1], 4096, SPLICE_F_NONBLOCK));
			may_have_to_wait(read(c[0], bytes, sizeof bytes));
		}
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		int status;
		OK(wait(&status));
		CHECK_EQ(status, 0);
	}
	OK(ioctl(a[0], FIONREAD, &left));
	OK(ioctl(b[0], FIONREAD, &there));
	CHECK_EQ(left + there, BYTES);
	memset(bytes, 0, sizeof bytes);
	if (left)
		CHECK_EQ(read(a[0], bytes, left), left);
	if (there)
		CHECK_EQ(read(b[0], bytes + left, there), there);
	for (int i = 0; i < BYTES; i++)
		CHECK_EQ(bytes[i], 'x');

	/* Without a reader a splice of what is there fails, one that has nothing to move waits for it. */
	OK(close(b[0]));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(splice(a[0], NULL, b[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_EQ(write(a[1], "y", 1), 1);
	CHECK_ERRNO(splice(a[0], NULL, b[1], NULL, 1, SPLICE_F_NONBLOCK), EPIPE);
	CHECK_ERRNO(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK), EPIPE);
	CHECK_EQ(read(a[0], bytes, 1), 1);
	return 0;
}
