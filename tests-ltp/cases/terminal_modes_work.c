/* Canonical mode gives lines and erases; raw mode gives bytes; tcsetattr is read back. */
#include "nos_test.h"
#include <sys/ioctl.h>
#include <termios.h>

int main(void)
{
	int unlock = 0, number;
	char path[32], buffer[64];
	struct termios modes, raw;
	struct winsize size = { 25, 90, 0, 0 }, back;
	int master = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(master, TIOCSPTLCK, &unlock));
	OK(ioctl(master, TIOCGPTN, &number));
	snprintf(path, sizeof path, "/dev/pts/%d", number);
	int slave = (int)OK(open(path, O_RDWR | O_NOCTTY));
	CHECK(isatty(slave));
	OK(ioctl(master, TIOCSWINSZ, &size));
	OK(ioctl(slave, TIOCGWINSZ, &back));
	CHECK_EQ(back.ws_col, 90);
	OK(tcgetattr(slave, &modes));
	CHECK(modes.c_lflag & ICANON);
	/* A line with an erased letter, an erased line, and end of file. */
	CHECK_EQ(write(master, "abx\177c\n", 6), 6);
	CHECK_EQ(read(slave, buffer, sizeof buffer), 4);
	CHECK(memcmp(buffer, "abc\n", 4) == 0);
	CHECK_EQ(write(master, "gone\025kept\n", 10), 10);
	CHECK_EQ(read(slave, buffer, 2), 2);
	CHECK_EQ(read(slave, buffer + 2, sizeof buffer), 3);
	CHECK(memcmp(buffer, "kept\n", 5) == 0);
	CHECK_EQ(write(master, "\004", 1), 1);
	CHECK_EQ(read(slave, buffer, sizeof buffer), 0);
	raw = modes;
	cfmakeraw(&raw);
	OK(tcsetattr(slave, TCSANOW, &raw));
	CHECK_EQ(write(master, "\003x\r", 3), 3);
	CHECK_EQ(read(slave, buffer, 1), 1);
	CHECK_EQ(buffer[0], 3);
	CHECK_EQ(read(slave, buffer, 1), 1);
	CHECK_EQ(read(slave, buffer, 1), 1);
	CHECK_EQ(buffer[0], '\r');
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 1;
	OK(tcsetattr(slave, TCSANOW, &raw));
	int64_t start = test_now();
	CHECK_EQ(read(slave, buffer, 1), 0);
	CHECK(test_now() - start >= 90000);
	CHECK_ERRNO(ioctl(slave, 0x1234, 0), ENOTTY);
	return 0;
}
