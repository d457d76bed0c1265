/* A change of the window's size is seen at both ends and signalled to the foreground group, once. */
#include "nos_pty.h"

static volatile sig_atomic_t changes;

static void handler(int number)
{
	(void)number;
	changes++;
}

int main(void)
{
	struct pty pty = pty_open();
	struct winsize size = { 1, 1, 1, 1 }, other = { 24, 80, 640, 480 };
	OK(ioctl(pty.slave, TIOCGWINSZ, &size));
	CHECK_EQ(size.ws_row + size.ws_col + size.ws_xpixel + size.ws_ypixel, 0);
	CHILD({
		OK(setsid());
		OK(ioctl(pty.slave, TIOCSCTTY, 0));
		signal(SIGWINCH, handler);
		size = other;
		OK(ioctl(pty.master, TIOCSWINSZ, &size));
		CHECK_EQ(changes, 1);
		memset(&size, 0, sizeof size);
		OK(ioctl(pty.slave, TIOCGWINSZ, &size));
		CHECK_EQ(size.ws_row, 24);
		CHECK_EQ(size.ws_col, 80);
		CHECK_EQ(size.ws_ypixel, 480);
		OK(ioctl(pty.slave, TIOCSWINSZ, &size));
		CHECK_EQ(changes, 1);
	});
	return 0;
}
