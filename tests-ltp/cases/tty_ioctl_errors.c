/* Terminal ioctls report what Linux reports. */
#include "nos_pty.h"

int main(void)
{
	struct pty pty = pty_open();
	struct termios modes;
	int value = 5, null;
	char bytes[80];
	CHECK_ERRNO(ioctl(pty.slave, TIOCGPGRP, &value), ENOTTY);
	CHECK_ERRNO(ioctl(pty.slave, TIOCGSID, &value), ENOTTY);
	CHECK_ERRNO(ioctl(pty.master, TIOCGSID, &value), ENOTTY);
	OK(ioctl(pty.master, TIOCGPGRP, &value));
	CHECK_EQ(value, 0);
	value = 1;
	CHECK_ERRNO(ioctl(pty.slave, TIOCSPGRP, &value), ENOTTY);
	CHECK_ERRNO(ioctl(pty.slave, TIOCNOTTY, 0), ENOTTY);
	CHILD(CHECK_ERRNO(ioctl(pty.slave, TIOCSCTTY, 0), EPERM)); /* only a session's leader */
	value = 7;
	CHECK_ERRNO(ioctl(pty.slave, TIOCSETD, &value), EINVAL);
	value = 0;
	OK(ioctl(pty.slave, TIOCSETD, &value));
	OK(ioctl(pty.slave, TIOCGETD, &value));
	CHECK_EQ(value, 0);
	CHECK_ERRNO(ioctl(pty.slave, TCXONC, 9), EINVAL);
	CHECK_ERRNO(ioctl(pty.slave, TCFLSH, 9), EINVAL);
	CHECK_ERRNO(ioctl(pty.slave, TIOCMGET, &value), ENOTTY);
	CHECK_ERRNO(ioctl(pty.slave, TIOCGSERIAL, bytes), ENOTTY);
	CHECK_ERRNO(ioctl(pty.slave, TIOCGPTN, &value), ENOTTY);
	CHECK_ERRNO(ioctl(pty.slave, 0x4b30, bytes), ENOTTY); /* KDGETMODE's family */
	CHECK_ERRNO(ioctl(pty.slave, TCGETS, UNMAPPED_ADDRESS), EFAULT);
	CHECK_ERRNO(ioctl(pty.slave, TCSETS, UNMAPPED_ADDRESS), EFAULT);
	CHECK_ERRNO(ioctl(pty.slave, TIOCGWINSZ, KERNEL_ADDRESS), EFAULT);
	CHECK_ERRNO(ioctl(pty.slave, TIOCSWINSZ, KERNEL_ADDRESS), EFAULT);
	CHECK_ERRNO(lseek(pty.slave, 0, SEEK_SET), ESPIPE);
	null = (int)OK(open("/dev/null", O_RDWR));
	CHECK_ERRNO(tcgetattr(null, &modes), ENOTTY);
	CHECK_EQ(isatty(null), 0);
	CHECK_EQ(isatty(pty.slave), 1);
	/* The master's attributes are the slave's. */
	OK(tcgetattr(pty.slave, &modes));
	modes.c_lflag &= ~ECHO;
	modes.c_cc[VINTR] = 'q';
	OK(tcsetattr(pty.master, TCSANOW, &modes));
	memset(&modes, 0, sizeof modes);
	OK(tcgetattr(pty.slave, &modes));
	CHECK_EQ(modes.c_lflag & ECHO, 0);
	CHECK_EQ(modes.c_cc[VINTR], 'q');
	/* Exclusive use keeps others out, but not the super-user. */
	OK(ioctl(pty.slave, TIOCEXCL));
	OK(close((int)OK(open(pty.path, O_RDWR | O_NOCTTY))));
	OK(chmod(pty.path, 0666));
	CHILD({
		OK(setresgid(5, 5, 5));
		OK(setresuid(65534, 65534, 65534));
		CHECK_ERRNO(open(pty.path, O_RDWR | O_NOCTTY), EBUSY);
	});
	OK(ioctl(pty.slave, TIOCNXCL));
	return 0;
}
