/* Many pseudo-terminals come, talk, hang up and go at the same time; nobody is left behind. */
#include "nos_pty.h"

static void one_round(unsigned seed)
{
	struct pty pty = pty_open();
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		OK(close(pty.master));
		OK(setsid());
		signal(SIGHUP, SIG_IGN);
		if (ioctl(pty.slave, TIOCSCTTY, 0) < 0) {
			CHECK_ERRNO(ioctl(pty.slave, TIOCSCTTY, 0), EIO); /* hung up already */
			_exit(0);
		}
		while (read(pty.slave, &byte, 1) > 0)
			if (write(pty.slave, "answer\n", 7) < 0)
				break;
		_exit(0);
	}
	OK(close(pty.slave));
	CHECK_EQ(write(pty.master, "line\n", 5), 5);
	if (seed & 1) {
		char buffer[256];
		CHECK(pty_readable(pty.master, 5000));
		CHECK(read(pty.master, buffer, sizeof buffer) > 0);
	}
	if (seed & 2)
		usleep(seed % 500);
	OK(close(pty.master));
	CHECK_EQ(test_wait(child), 0);
}

int main(void)
{
	pid_t workers[6];
	for (int i = 0; i < 6; i++) {
		workers[i] = (pid_t)OK(fork());
		if (workers[i] == 0) {
			for (unsigned round = 0; round < 40; round++)
				one_round(round * 7 + i);
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		CHECK_EQ(test_wait(workers[i]), 0);
	return 0;
}
