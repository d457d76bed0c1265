/* A canonical line is edited by erase, word erase, kill and literal-next, and each edit is shown. */
#include "nos_pty.h"

int main(void)
{
	struct pty pty = pty_open();
	pty_type(pty.master, "ab\177");
	pty_expect(pty.master, "ab\b \b");
	pty_silent(pty.slave);
	pty_type(pty.master, "c\n");
	pty_expect(pty.master, "c\r\n");
	pty_read_is(pty.slave, "ac\n");
	pty_type(pty.master, "one two\027\n");
	pty_expect(pty.master, "one two\b \b\b \b\b \b\r\n");
	pty_read_is(pty.slave, "one \n");
	pty_type(pty.master, "gone\025here\n");
	pty_expect(pty.master, "gone\b \b\b \b\b \b\b \bhere\r\n");
	pty_read_is(pty.slave, "here\n");
	pty_type(pty.master, "\026\003\n");
	pty_expect(pty.master, "^\b^C\r\n");
	pty_read_is(pty.slave, "\003\n");
	pty_type(pty.master, "x\022y\n");
	pty_expect(pty.master, "x^R\r\nxy\r\n");
	pty_read_is(pty.slave, "xy\n");
	/* A tab is taken back to the column where it began. */
	pty_type(pty.master, "abc\t\177\n");
	pty_expect(pty.master, "abc\t\b\b\b\b\b\r\n");
	pty_read_is(pty.slave, "abc\n");
	return 0;
}
