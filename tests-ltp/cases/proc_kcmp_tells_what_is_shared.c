/* kcmp(2): the same or another address space, table, handlers, file; an order that is one; its errors. */
#include "nos_test.h"
#include <sched.h>
#include <sys/epoll.h>

enum { FILE_, VM, FILES, FS, SIGHAND, IO, SYSVSEM, EPOLL_TFD };

static long kcmp(pid_t one, pid_t other, int type, unsigned long left, unsigned long right)
{
	return syscall(SYS_kcmp, one, other, type, left, right);
}

/* 0 for the same; else 1 one way round and 2 the other. */
static void differ(pid_t one, pid_t other, int type, unsigned long left, unsigned long right)
{
	long there = OK(kcmp(one, other, type, left, right));
	CHECK(there == 1 || there == 2);
	CHECK_EQ(kcmp(other, one, type, right, left), 3 - there);
}

static int sleep_(void *argument)
{
	(void)argument;
	for (;;)
		pause();
}

static pid_t start(int flags)
{
	static char stacks[2][16384];
	static int used;
	return (pid_t)OK(clone(sleep_, stacks[used++] + 16384, flags | SIGCHLD, NULL));
}

int main(void)
{
	pid_t me = getpid();
	int fd = (int)OK(open("/dev/null", O_RDONLY)), again = (int)OK(dup(fd));
	int other = (int)OK(open("/dev/null", O_RDONLY));
	CHECK_EQ(kcmp(me, me, FILE_, fd, again), 0);
	differ(me, me, FILE_, fd, other);
	CHECK_ERRNO(kcmp(me, me, FILE_, fd, 99), EBADF);

	pid_t sharing = start(CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND), apart = start(0);
	for (int type = VM; type <= SIGHAND; type++) {
		CHECK_EQ(kcmp(me, me, type, 0, 0), 0);
		CHECK_EQ(kcmp(me, sharing, type, 0, 0), 0);
		differ(me, apart, type, 0, 0);
	}
	CHECK_EQ(kcmp(me, apart, SYSVSEM, 0, 0), 0);
	CHECK_EQ(kcmp(me, apart, FILE_, fd, again), 0);
	differ(me, apart, FILE_, fd, other);

	struct epoll_event event = { .events = EPOLLIN };
	int ends[2], epoll = (int)OK(epoll_create1(0));
	OK(pipe(ends));
	OK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
	struct { uint32_t epoll, fd, place; } slot = { (uint32_t)epoll, (uint32_t)ends[0], 0 };
	CHECK_EQ(kcmp(me, me, EPOLL_TFD, ends[0], (unsigned long)&slot), 0);
	differ(me, me, FILE_, ends[0], ends[1]);
	CHECK(kcmp(me, me, EPOLL_TFD, ends[1], (unsigned long)&slot) > 0);
	slot.place = 1;
	CHECK_ERRNO(kcmp(me, me, EPOLL_TFD, ends[0], (unsigned long)&slot), ENOENT);
	slot.place = 0;
	slot.epoll = (uint32_t)fd;
	CHECK_ERRNO(kcmp(me, me, EPOLL_TFD, ends[0], (unsigned long)&slot), EINVAL);
	CHECK_ERRNO(kcmp(me, me, EPOLL_TFD, ends[0], 8), EFAULT);

	CHECK_ERRNO(kcmp(me, me, EPOLL_TFD + 1, 0, 0), EINVAL);
	CHECK_ERRNO(kcmp(me, 4000000, VM, 0, 0), ESRCH);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(setuid(1000));
		CHECK_ERRNO(kcmp(getpid(), me, VM, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 0);
	OK(kill(sharing, SIGKILL));
	OK(kill(apart, SIGKILL));
	return 0;
}
