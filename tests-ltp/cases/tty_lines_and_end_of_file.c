/* Canonical reads return one line; VEOF ends a line without a byte of its own, or the file. */
#include "nos_pty.h"

int main(void)
{
	struct pty pty = pty_open();
	char buffer[64];
	int count;
	pty_modes(pty.slave, ECHO, 0, 0, 0, 0, 0);
	pty_type(pty.master, "one\ntwo\nthr");
	CHECK(pty_readable(pty.slave, 3000));
	OK(ioctl(pty.slave, FIONREAD, &count));
	CHECK_EQ(count, 8);
	pty_read_is(pty.slave, "one\n");
	CHECK_EQ(read(pty.slave, buffer, 2), 2);
	pty_read_is(pty.slave, "o\n");
	pty_silent(pty.slave);
	pty_type(pty.master, "\004ee\n\004");
	pty_read_is(pty.slave, "thr");
	pty_read_is(pty.slave, "ee\n");
	CHECK(pty_readable(pty.slave, 3000));
	CHECK_EQ(read(pty.slave, buffer, sizeof buffer), 0);
	pty_silent(pty.slave);
	/* A read that is full swallows the end of file right behind it. */
	pty_type(pty.master, "abc\004");
	CHECK(pty_readable(pty.slave, 3000));
	CHECK_EQ(read(pty.slave, buffer, 3), 3);
	pty_silent(pty.slave);
	/* More than a line can hold: what is too much is dropped, the end is kept. */
	char chunk[1000];
	memset(chunk, 'x', sizeof chunk);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(write(pty.master, chunk, sizeof chunk), sizeof chunk);
	pty_type(pty.master, "\n");
	CHECK(pty_readable(pty.slave, 3000));
	static char line[8192];
	CHECK_EQ(read(pty.slave, line, sizeof line), 4096);
	CHECK_EQ(line[4095], '\n');
	return 0;
}
