/* Record locks: conflicts, splitting, what a close releases, waiting, and deadlock. */
#include "nos_test.h"

static struct flock lock_of(short type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
}

int main(void)
{
	int pipes[2];
	char byte;
	int fd = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
	struct flock lock = lock_of(F_WRLCK, 0, 100);
	OK(fcntl(fd, F_SETLK, &lock));
	lock = lock_of(F_UNLCK, 40, 20);
	OK(fcntl(fd, F_SETLK, &lock));
	CHILD({
		struct flock want = lock_of(F_RDLCK, 30, 20);
		CHECK_ERRNO(fcntl(fd, F_SETLK, &want), EAGAIN);
		want = lock_of(F_RDLCK, 40, 20);
		OK(fcntl(fd, F_SETLK, &want));
		want = lock_of(F_WRLCK, 0, 0);
		OK(fcntl(fd, F_GETLK, &want));
		CHECK_EQ(want.l_type, F_WRLCK);
		CHECK_EQ(want.l_start, 0);
		CHECK_EQ(want.l_len, 40);
		CHECK_EQ(want.l_pid, getppid());
		want = lock_of(F_WRLCK, 60, 0);
		OK(fcntl(fd, F_GETLK, &want));
		CHECK_EQ(want.l_start, 60);
		CHECK_EQ(want.l_len, 40);
	});
	/* Any close of the file by the process releases its locks. */
	OK(close(dup(fd)));
	CHILD({
		struct flock want = lock_of(F_WRLCK, 0, 0);
		OK(fcntl(fd, F_SETLK, &want));
	});
	lock = lock_of(F_WRLCK, 0, 1);
	lock.l_whence = 9;
	CHECK_ERRNO(fcntl(fd, F_SETLK, &lock), EINVAL);
	int readonly = (int)OK(open("f", O_RDONLY));
	lock = lock_of(F_WRLCK, 0, 1);
	CHECK_ERRNO(fcntl(readonly, F_SETLK, &lock), EBADF);
	OK(close(readonly));
	/* Waiting: the child gets the lock when the parent gives it back; then each waits for the other. */
	OK(pipe(pipes));
	lock = lock_of(F_WRLCK, 0, 1);
	OK(fcntl(fd, F_SETLK, &lock));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		struct flock want = lock_of(F_WRLCK, 1, 1);
		OK(fcntl(fd, F_SETLK, &want));
		CHECK_EQ(write(pipes[1], "r", 1), 1);
		want = lock_of(F_WRLCK, 0, 1);
		OK(fcntl(fd, F_SETLKW, &want));
		_exit(0);
	}
	CHECK_EQ(read(pipes[0], &byte, 1), 1);
	usleep(100000);
	lock = lock_of(F_WRLCK, 1, 1);
	CHECK_ERRNO(fcntl(fd, F_SETLKW, &lock), EDEADLK);
	lock = lock_of(F_UNLCK, 0, 0);
	OK(fcntl(fd, F_SETLK, &lock));
	CHECK_EQ(test_wait(child), 0);
	/* Locks of an open file description conflict within one process. */
	int other = (int)OK(open("f", O_RDWR));
	lock = lock_of(F_WRLCK, 0, 0);
	OK(fcntl(fd, F_OFD_SETLK, &lock));
	lock = lock_of(F_RDLCK, 5, 1);
	CHECK_ERRNO(fcntl(other, F_OFD_SETLK, &lock), EAGAIN);
	OK(close(fd));
	lock = lock_of(F_RDLCK, 5, 1);
	OK(fcntl(other, F_OFD_SETLK, &lock));
	return 0;
}
