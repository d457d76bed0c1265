/* STOP holds output and START lets it go; tcflow does the same by call; queues can be flushed. */
#include "nos_pty.h"

int main(void)
{
	struct pty pty = pty_open();
	int count;
	pty_type(pty.master, "\023");
	usleep(20000);
	OK(fcntl(pty.slave, F_SETFL, O_RDWR | O_NONBLOCK));
	CHECK_ERRNO(write(pty.slave, "held", 4), EAGAIN);
	pty_silent(pty.master);
	pty_type(pty.master, "\021");
	usleep(20000);
	pty_type(pty.slave, "free");
	pty_expect(pty.master, "free");
	OK(tcflow(pty.slave, TCOOFF));
	CHECK_ERRNO(write(pty.slave, "held", 4), EAGAIN);
	pty_type(pty.master, "\021"); /* START does not undo what the call did */
	usleep(20000);
	CHECK_ERRNO(write(pty.slave, "held", 4), EAGAIN);
	OK(tcflow(pty.slave, TCOON));
	pty_type(pty.slave, "on");
	pty_expect(pty.master, "on");
	/* A blocked writer goes on when output is started. */
	OK(fcntl(pty.slave, F_SETFL, O_RDWR));
	pty_type(pty.master, "\023");
	usleep(20000);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		pty_type(pty.slave, "later");
		_exit(0);
	}
	usleep(50000);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	pty_type(pty.master, "\021");
	pty_expect(pty.master, "later");
	CHECK_EQ(test_wait(child), 0);
	pty_modes(pty.slave, ECHO, 0, 0, 0, 0, 0);
	pty_type(pty.master, "lost\n");
	CHECK(pty_readable(pty.slave, 3000));
	OK(tcflush(pty.slave, TCIFLUSH));
	OK(ioctl(pty.slave, FIONREAD, &count));
	CHECK_EQ(count, 0);
	pty_silent(pty.slave);
	OK(tcdrain(pty.slave));
	return 0;
}
