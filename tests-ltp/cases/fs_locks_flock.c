/* flock belongs to the open file description: dup and fork share it, a second open does not. */
#include "nos_test.h"
#include <sys/file.h>

int main(void)
{
	int a = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
	int b = (int)OK(open("f", O_RDONLY));
	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	CHECK_ERRNO(flock(a, LOCK_EX | LOCK_NB), EAGAIN);
	OK(flock(b, LOCK_UN));
	OK(flock(a, LOCK_EX | LOCK_NB));
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
	int copy = (int)OK(dup(a));
	OK(close(a));
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
	CHILD(OK(flock(copy, LOCK_EX | LOCK_NB)));
	OK(close(copy));
	OK(flock(b, LOCK_EX | LOCK_NB));
	CHECK_ERRNO(flock(b, 0), EINVAL);
	CHECK_ERRNO(flock(99, LOCK_SH), EBADF);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		int c = (int)OK(open("f", O_RDONLY));
		OK(flock(c, LOCK_EX));
		_exit(0);
	}
	usleep(50000);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	OK(flock(b, LOCK_UN));
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
