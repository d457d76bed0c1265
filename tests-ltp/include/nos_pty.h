/* A pseudo-terminal for a case: both ends, and reading what must come. */
#ifndef NOS_PTY_H
#define NOS_PTY_H

#include "nos_test.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

struct pty {
	int master, slave;
	char path[32];
};

/* Opens a new pair; the slave is nobody's controlling terminal. */
static inline struct pty pty_open(void)
{
	struct pty pty;
	int unlock = 0, number;
	pty.master = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(pty.master, TIOCSPTLCK, &unlock));
	OK(ioctl(pty.master, TIOCGPTN, &number));
	snprintf(pty.path, sizeof pty.path, "/dev/pts/%d", number);
	pty.slave = (int)OK(open(pty.path, O_RDWR | O_NOCTTY));
	return pty;
}

/* Changes the slave's modes: clears and sets local, input and output flags. */
static inline void pty_modes(int fd, tcflag_t clear_local, tcflag_t set_local, tcflag_t clear_input,
			     tcflag_t set_input, tcflag_t clear_output, tcflag_t set_output)
{
	struct termios modes;
	OK(tcgetattr(fd, &modes));
	modes.c_lflag = (modes.c_lflag & ~clear_local) | set_local;
	modes.c_iflag = (modes.c_iflag & ~clear_input) | set_input;
	modes.c_oflag = (modes.c_oflag & ~clear_output) | set_output;
	OK(tcsetattr(fd, TCSANOW, &modes));
}

static inline void pty_raw(int fd)
{
	struct termios modes;
	OK(tcgetattr(fd, &modes));
	cfmakeraw(&modes);
	OK(tcsetattr(fd, TCSANOW, &modes));
}

/* Whether `fd` becomes readable within so many milliseconds. */
static inline int pty_readable(int fd, int milliseconds)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };
	return poll(&item, 1, milliseconds) == 1 && (item.revents & POLLIN);
}

static inline void pty_type(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* Exactly these bytes come out of `fd`, however they are cut. */
static inline void pty_expect(int fd, const char *text)
{
	char buffer[4096];
	size_t length = 0, wanted = strlen(text);
	while (length < wanted) {
		if (!pty_readable(fd, 3000))
			FAIL("after %zu of %zu bytes of \"%s\" nothing comes", length, wanted, text);
		ssize_t got = OK(read(fd, buffer + length, wanted - length));
		CHECK(got > 0);
		length += got;
	}
	buffer[length] = '\0';
	if (memcmp(buffer, text, wanted) != 0)
		FAIL("got \"%s\", not \"%s\"", buffer, text);
}

/* One read gets exactly this. */
static inline void pty_read_is(int fd, const char *text)
{
	char buffer[4096];
	if (!pty_readable(fd, 3000))
		FAIL("\"%s\" does not come", text);
	ssize_t got = OK(read(fd, buffer, sizeof buffer - 1));
	buffer[got] = '\0';
	CHECK_STR(buffer, text);
}

/* Nothing comes. */
static inline void pty_silent(int fd)
{
	CHECK(!pty_readable(fd, 50));
}

#endif
