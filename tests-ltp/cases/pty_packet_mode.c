/* In packet mode the master learns of flushes, flow control and changed flow characters. */
#include "nos_pty.h"

static int next(int master)
{
	unsigned char buffer[16];
	CHECK(pty_readable(master, 3000));
	CHECK_EQ(read(master, buffer, sizeof buffer), 1);
	return buffer[0];
}

int main(void)
{
	struct pty pty = pty_open();
	unsigned char buffer[16];
	int on = 1;
	OK(ioctl(pty.master, TIOCPKT, &on));
	pty_type(pty.slave, "ab");
	CHECK(pty_readable(pty.master, 3000));
	CHECK_EQ(read(pty.master, buffer, sizeof buffer), 3);
	CHECK(memcmp(buffer, "\0ab", 3) == 0);
	OK(tcflush(pty.slave, TCIFLUSH));
	struct pollfd item = { .fd = pty.master, .events = POLLIN | POLLPRI };
	CHECK_EQ(poll(&item, 1, 1000), 1);
	CHECK_EQ(item.revents, POLLIN | POLLPRI);
	CHECK_EQ(next(pty.master), TIOCPKT_FLUSHREAD);
	OK(tcflow(pty.slave, TCOOFF));
	CHECK_EQ(next(pty.master), TIOCPKT_STOP);
	OK(tcflow(pty.slave, TCOON));
	CHECK_EQ(next(pty.master), TIOCPKT_START);
	pty_modes(pty.slave, 0, 0, IXON, 0, 0, 0);
	CHECK_EQ(next(pty.master), TIOCPKT_NOSTOP);
	pty_modes(pty.slave, 0, 0, 0, IXON, 0, 0);
	CHECK_EQ(next(pty.master), TIOCPKT_DOSTOP);
	on = 0;
	OK(ioctl(pty.master, TIOCPKT, &on));
	pty_type(pty.slave, "c");
	pty_expect(pty.master, "c");
	return 0;
}
