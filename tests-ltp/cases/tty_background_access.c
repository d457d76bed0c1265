/* A background process stops when it reads or changes the terminal, and with TOSTOP when it writes; EIO if it cannot. */
#include "nos_pty.h"

static struct pty pty;

static int stopped_by(void (*act)(void))
{
	int status;
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(setpgid(0, 0));
		act();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	if (!WIFSTOPPED(status)) {
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), 0);
		return 0;
	}
	kill(child, SIGKILL);
	test_wait(child);
	return WSTOPSIG(status);
}

static void do_read(void)
{
	char byte;
	read(pty.slave, &byte, 1);
}

static void do_write(void)
{
	CHECK_EQ(write(pty.slave, "w", 1), 1);
}

static void do_change(void)
{
	struct termios modes;
	OK(tcgetattr(pty.slave, &modes));
	tcsetattr(pty.slave, TCSANOW, &modes);
}

static void do_set_foreground(void)
{
	tcsetpgrp(pty.slave, getpgrp());
}

static void read_with_ignored_signal(void)
{
	char byte;
	signal(SIGTTIN, SIG_IGN);
	CHECK_ERRNO(read(pty.slave, &byte, 1), EIO);
}

static void change_with_ignored_signal(void)
{
	struct termios modes;
	signal(SIGTTOU, SIG_IGN);
	OK(tcgetattr(pty.slave, &modes));
	OK(tcsetattr(pty.slave, TCSANOW, &modes));
	OK(tcsetpgrp(pty.slave, getpgrp()));
	OK(tcsetpgrp(pty.slave, getppid()));
}

int main(void)
{
	pty = pty_open();
	CHILD({
		OK(setsid());
		OK(ioctl(pty.slave, TIOCSCTTY, 0));
		CHECK_EQ(stopped_by(do_read), SIGTTIN);
		CHECK_EQ(stopped_by(do_write), 0);
		CHECK_EQ(stopped_by(do_change), SIGTTOU);
		CHECK_EQ(stopped_by(do_set_foreground), SIGTTOU);
		CHECK_EQ(stopped_by(read_with_ignored_signal), 0);
		CHECK_EQ(stopped_by(change_with_ignored_signal), 0);
		pty_modes(pty.slave, 0, TOSTOP, 0, 0, 0, 0);
		CHECK_EQ(stopped_by(do_write), SIGTTOU);
	});
	return 0;
}
