/* TIOCGPTPEER opens the slave of a master, whatever its name. */
#include "nos_pty.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

int main(void)
{
	int number, unlock = 0;
	char path[32], target[64];
	struct stat by_name, by_peer;
	int master = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	CHECK_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO);
	OK(ioctl(master, TIOCSPTLCK, &unlock));
	OK(ioctl(master, TIOCGPTN, &number));
	int peer = (int)OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	CHECK_EQ(fcntl(peer, F_GETFD), FD_CLOEXEC);
	snprintf(path, sizeof path, "/dev/pts/%d", number);
	OK(stat(path, &by_name));
	OK(fstat(peer, &by_peer));
	CHECK_EQ(by_peer.st_rdev, by_name.st_rdev);
	CHECK_EQ(by_peer.st_ino, by_name.st_ino);
	snprintf(target, sizeof target, "/proc/self/fd/%d", peer);
	ssize_t n = OK(readlink(target, target, sizeof target - 1));
	target[n] = '\0';
	CHECK_STR(target, path);
	pty_type(peer, "hello");
	pty_expect(master, "hello");
	CHECK_ERRNO(ioctl(peer, TIOCGPTPEER, O_RDWR), EIO);
	return 0;
}
