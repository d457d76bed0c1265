/* /proc/self/fdinfo tells what epoll instances, event files, signal files and pidfds hold. */
#include "nos_test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char text[4096];

static void info(int fd)
{
	char name[64];
	sprintf(name, "/proc/self/fdinfo/%d", fd);
	int in = OK(open(name, O_RDONLY));
	text[OK(read(in, text, sizeof text - 1))] = 0;
	close(in);
}

int main(void)
{
	int event = OK(eventfd(27, 0));
	info(event);
	CHECK(strstr(text, "eventfd-count:               1b\n"));

	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	info(OK(signalfd(-1, &set, 0)));
	CHECK(strstr(text, "sigmask:\t0000000000000200\n"));

	int epoll = OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u64 = 0xabcdef };
	OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e));
	info(epoll);
	struct stat st;
	OK(fstat(event, &st));
	char line[200];
	sprintf(line, "tfd: %8d events: %8x data: %16llx  pos:0 ino:%lx sdev:%x\n", event,
		EPOLLIN | EPOLLET | EPOLLERR | EPOLLHUP, 0xabcdefULL, (long)st.st_ino,
		major(st.st_dev) << 20 | minor(st.st_dev));
	CHECK(strstr(text, line));

	pid_t child = OK(fork());
	if (!child) {
		pause();
		_exit(0);
	}
	int pidfd = OK(syscall(SYS_pidfd_open, child, 0));
	info(pidfd);
	sprintf(line, "Pid:\t%d\nNSpid:\t%d\n", child, child);
	CHECK(strstr(text, line));
	OK(kill(child, SIGKILL));
	CHECK_EQ(OK(waitpid(child, NULL, 0)), child);
	info(pidfd);
	CHECK(strstr(text, "Pid:\t-1\n"));
	return 0;
}
