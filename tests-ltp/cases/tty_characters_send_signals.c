/* INTR, QUIT and SUSP signal the foreground group, are echoed, and flush what was typed. */
#include "nos_pty.h"

static volatile sig_atomic_t last;

static void handler(int number)
{
	last = number;
}

static void wait_for(int number)
{
	for (int i = 0; i < 300 && last != number; i++)
		usleep(10000);
	CHECK_EQ(last, number);
	last = 0;
}

int main(void)
{
	struct pty pty = pty_open();
	CHILD({
		OK(setsid());
		OK(ioctl(pty.slave, TIOCSCTTY, 0));
		signal(SIGINT, handler);
		signal(SIGQUIT, handler);
		signal(SIGTSTP, handler);
		pty_type(pty.master, "typed");
		pty_expect(pty.master, "typed");
		pty_type(pty.master, "\003");
		wait_for(SIGINT);
		pty_expect(pty.master, "^C");
		pty_type(pty.master, "\034");
		wait_for(SIGQUIT);
		pty_expect(pty.master, "^\\");
		pty_type(pty.master, "\032");
		wait_for(SIGTSTP);
		pty_expect(pty.master, "^Z");
		pty_type(pty.master, "new\n");
		pty_read_is(pty.slave, "new\n");
		pty_expect(pty.master, "new\r\n");
		/* NOFLSH keeps what was typed; without ISIG the character is data. */
		pty_modes(pty.slave, 0, NOFLSH, 0, 0, 0, 0);
		pty_type(pty.master, "kept\003\n");
		wait_for(SIGINT);
		pty_read_is(pty.slave, "kept\n");
		pty_modes(pty.slave, ISIG, 0, 0, 0, 0, 0);
		pty_type(pty.master, "\003\n");
		pty_read_is(pty.slave, "\003\n");
		CHECK_EQ(last, 0);
	});
	return 0;
}
