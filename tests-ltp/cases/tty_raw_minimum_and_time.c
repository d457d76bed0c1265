/* Raw reads follow VMIN and VTIME. */
#include "nos_pty.h"

static void set(int fd, int minimum, int time)
{
	struct termios modes;
	OK(tcgetattr(fd, &modes));
	cfmakeraw(&modes);
	modes.c_cc[VMIN] = minimum;
	modes.c_cc[VTIME] = time;
	OK(tcsetattr(fd, TCSANOW, &modes));
}

int main(void)
{
	struct pty pty = pty_open();
	char buffer[64];
	int64_t start;
	set(pty.slave, 0, 0);
	CHECK_EQ(read(pty.slave, buffer, sizeof buffer), 0);
	/* No minimum, a time: up to that long for the first byte. */
	set(pty.slave, 0, 2);
	start = test_now();
	CHECK_EQ(read(pty.slave, buffer, sizeof buffer), 0);
	CHECK(test_now() - start >= 150000);
	pty_type(pty.master, "a\003\n");
	CHECK(pty_readable(pty.slave, 3000));
	pty_read_is(pty.slave, "a\003\n");
	/* A minimum and a time: the time runs from the first byte on. */
	set(pty.slave, 4, 2);
	pty_type(pty.master, "ab");
	start = test_now();
	CHECK_EQ(read(pty.slave, buffer, sizeof buffer), 2);
	CHECK(test_now() - start >= 100000);
	/* A minimum alone: all of it. */
	set(pty.slave, 3, 0);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		for (int i = 0; i < 3; i++) {
			usleep(30000);
			pty_type(pty.master, "z");
		}
		_exit(0);
	}
	CHECK_EQ(read(pty.slave, buffer, sizeof buffer), 3);
	CHECK_EQ(test_wait(child), 0);
	/* Non-blocking: what there is, or EAGAIN. */
	OK(fcntl(pty.slave, F_SETFL, O_NONBLOCK | O_RDWR));
	CHECK_ERRNO(read(pty.slave, buffer, 1), EAGAIN);
	pty_type(pty.master, "q");
	struct pollfd item = { .fd = pty.slave, .events = POLLIN };
	usleep(50000);
	CHECK_EQ(poll(&item, 1, 0), 0); /* one byte of three */
	CHECK_EQ(read(pty.slave, buffer, sizeof buffer), 1);
	return 0;
}
