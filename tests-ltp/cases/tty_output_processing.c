/* Output is mapped as the flags say, with the column kept for tabs. */
#include "nos_pty.h"

int main(void)
{
	struct pty pty = pty_open();
	pty_type(pty.slave, "a\nb");
	pty_expect(pty.master, "a\r\nb");
	pty_modes(pty.slave, 0, 0, 0, 0, ONLCR, 0);
	pty_type(pty.slave, "\rc\n");
	pty_expect(pty.master, "\rc\n");
	pty_modes(pty.slave, 0, 0, 0, 0, 0, OCRNL);
	pty_type(pty.slave, "x\r");
	pty_expect(pty.master, "x\n");
	pty_modes(pty.slave, 0, 0, 0, 0, OCRNL, ONOCR | XTABS);
	pty_type(pty.slave, "\r\r12\tz\r");
	pty_expect(pty.master, "\r12      z\r");
	pty_modes(pty.slave, 0, 0, 0, 0, ONOCR | XTABS, OLCUC);
	pty_type(pty.slave, "upper");
	pty_expect(pty.master, "UPPER");
	pty_modes(pty.slave, 0, 0, 0, 0, OPOST, ONLCR);
	pty_type(pty.slave, "raw\n\t");
	pty_expect(pty.master, "raw\n\t");
	return 0;
}
