/* A pty becomes the controlling terminal; ^C reaches its foreground group. */
#include "nos_test.h"
#include <sys/ioctl.h>
#include <termios.h>

static volatile sig_atomic_t interrupted;

static void handler(int number)
{
	(void)number;
	interrupted = 1;
}

int main(void)
{
	int unlock = 0, number, status;
	char path[32], buffer[64];
	int master = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(master, TIOCSPTLCK, &unlock));
	OK(ioctl(master, TIOCGPTN, &number));
	snprintf(path, sizeof path, "/dev/pts/%d", number);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(setsid());
		int slave = (int)OK(open(path, O_RDWR | O_NOCTTY));
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		OK(ioctl(slave, TIOCSCTTY, 0));
		OK(close((int)OK(open("/dev/tty", O_RDWR))));
		CHECK_EQ(tcgetpgrp(slave), getpid());
		CHECK_EQ(tcgetsid(slave), getpid());
		signal(SIGINT, handler);
		siginterrupt(SIGINT, 1);
		CHECK_EQ(write(slave, "go\n", 3), 3);
		CHECK_ERRNO(read(slave, buffer, sizeof buffer), EINTR);
		CHECK_EQ(interrupted, 1);
		_exit(9);
	}
	/* "go" arrives with the new line that output processing makes of \n. */
	for (size_t length = 0; length < 4;)
		length += OK(read(master, buffer + length, sizeof buffer - length));
	CHECK(memcmp(buffer, "go\r\n", 4) == 0);
	usleep(50000);
	CHECK_EQ(write(master, "\003", 1), 1);
	status = test_wait(child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 9);
	return 0;
}
