/* Closing the master hangs up: the leader gets SIGHUP and SIGCONT, reads end, the rest is EIO, the name is gone. */
#include "nos_pty.h"

static volatile sig_atomic_t hangups, continues;

static void handler(int number)
{
	if (number == SIGHUP)
		hangups++;
	else
		continues++;
}

int main(void)
{
	int ready[2];
	struct pty pty = pty_open();
	OK(pipe(ready));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		struct winsize size;
		OK(close(pty.master));
		OK(setsid());
		signal(SIGHUP, handler);
		signal(SIGCONT, handler);
		OK(ioctl(pty.slave, TIOCSCTTY, 0));
		CHECK_EQ(write(ready[1], "r", 1), 1);
		for (int i = 0; i < 300 && !(hangups && continues); i++)
			usleep(10000);
		CHECK_EQ(hangups, 1);
		CHECK_EQ(continues, 1);
		CHECK_EQ(read(pty.slave, &byte, 1), 0);
		CHECK_ERRNO(write(pty.slave, "x", 1), EIO);
		CHECK_ERRNO(ioctl(pty.slave, TIOCGWINSZ, &size), EIO);
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(open(pty.path, O_RDWR), ENOENT);
		struct pollfd item = { .fd = pty.slave, .events = POLLIN | POLLOUT };
		CHECK_EQ(poll(&item, 1, 0), 1);
		CHECK_EQ(item.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
		_exit(0);
	}
	char byte;
	OK(close(pty.slave));
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	OK(close(pty.master));
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
