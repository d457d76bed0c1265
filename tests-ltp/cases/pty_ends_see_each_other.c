/* A slave is locked at first; a master reads EIO and polls HUP while the slave is closed, and recovers. */
#include "nos_pty.h"

int main(void)
{
	char path[32], byte;
	int number, lock = 0;
	int master = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
	OK(ioctl(master, TIOCGPTN, &number));
	snprintf(path, sizeof path, "/dev/pts/%d", number);
	CHECK_ERRNO(open(path, O_RDWR | O_NOCTTY), EIO);
	OK(ioctl(master, TIOCGPTLCK, &lock));
	CHECK_EQ(lock, 1);
	lock = 0;
	OK(ioctl(master, TIOCSPTLCK, &lock));
	CHECK_ERRNO(read(master, &byte, 1), EAGAIN);
	int slave = (int)OK(open(path, O_RDWR | O_NOCTTY));
	struct stat status;
	OK(fstat(slave, &status));
	CHECK(S_ISCHR(status.st_mode));
	CHECK_EQ(status.st_rdev, (136 << 8) + number);
	pty_type(slave, "bye");
	OK(close(slave));
	struct pollfd item = { .fd = master, .events = POLLIN | POLLOUT };
	CHECK_EQ(poll(&item, 1, 0), 1);
	CHECK_EQ(item.revents, POLLIN | POLLOUT | POLLHUP);
	pty_expect(master, "bye");
	CHECK_ERRNO(read(master, &byte, 1), EIO);
	slave = (int)OK(open(path, O_RDWR | O_NOCTTY));
	CHECK_ERRNO(read(master, &byte, 1), EAGAIN);
	CHECK_EQ(poll(&item, 1, 0), 1);
	CHECK_EQ(item.revents, POLLOUT);
	/* A full slave holds up the master; nothing is lost. */
	static char chunk[1000], back[1000];
	size_t sent = 0, got = 0;
	ssize_t n;
	pty_raw(slave);
	memset(chunk, 'd', sizeof chunk);
	while ((n = write(master, chunk, sizeof chunk)) > 0)
		sent += n;
	CHECK_ERRNO(write(master, chunk, 1), EAGAIN);
	CHECK(sent >= 4096);
	OK(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
	for (int quiet = 0; quiet < 20;) {
		n = read(slave, back, sizeof back);
		if (n > 0) {
			got += n;
			quiet = 0;
		} else {
			quiet++;
			usleep(1000);
		}
	}
	CHECK_EQ(got, sent);
	return 0;
}
