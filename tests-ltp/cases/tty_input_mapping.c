/* Input is mapped as the flags say before anything else sees it. */
#include "nos_pty.h"

int main(void)
{
	struct pty pty = pty_open();
	pty_modes(pty.slave, ECHO, 0, 0, 0, 0, 0);
	pty_type(pty.master, "cr\r");
	pty_read_is(pty.slave, "cr\n");
	pty_modes(pty.slave, 0, 0, ICRNL, IGNCR, 0, 0);
	pty_type(pty.master, "ig\rnored\n");
	pty_read_is(pty.slave, "ignored\n");
	pty_modes(pty.slave, 0, 0, IGNCR, ISTRIP | IUCLC, 0, 0);
	pty_type(pty.master, "\341BC\n");
	pty_read_is(pty.slave, "abc\n");
	pty_modes(pty.slave, ICANON, 0, ISTRIP | IUCLC, INLCR, 0, 0);
	pty_type(pty.master, "nl\n");
	pty_expect(pty.slave, "nl\r");
	pty_modes(pty.slave, 0, 0, INLCR, PARMRK, 0, 0);
	pty_type(pty.master, "\377");
	pty_expect(pty.slave, "\377\377");
	/* Half a line becomes readable when lines cease to matter, and what is there is a line when they matter again. */
	pty_modes(pty.slave, 0, ICANON, PARMRK, 0, 0, 0);
	pty_type(pty.master, "half");
	pty_silent(pty.slave);
	pty_modes(pty.slave, ICANON, 0, 0, 0, 0, 0);
	pty_read_is(pty.slave, "half");
	pty_type(pty.master, "more");
	CHECK(pty_readable(pty.slave, 3000));
	pty_modes(pty.slave, 0, ICANON, 0, 0, 0, 0);
	pty_read_is(pty.slave, "more");
	return 0;
}
