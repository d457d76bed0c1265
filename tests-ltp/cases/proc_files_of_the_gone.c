/* Files of a process that is gone say ESRCH, its directory ENOENT; a zombie still has a stat. */
#include "nos_test.h"

int main(void)
{
	char path[64], buffer[512];
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof path, "/proc/%d/stat", child);
	int stat_fd = (int)OK(open(path, O_RDONLY));
	snprintf(path, sizeof path, "/proc/%d/status", child);
	int status_fd = (int)OK(open(path, O_RDONLY));
	snprintf(path, sizeof path, "/proc/%d", child);
	int folder = (int)OK(open(path, O_RDONLY | O_DIRECTORY));
	OK(kill(child, SIGKILL));
	siginfo_t info;
	OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	ssize_t n = OK(read(stat_fd, buffer, sizeof buffer - 1));
	buffer[n] = '\0';
	CHECK(strstr(buffer, ") Z "));
	snprintf(path, sizeof path, "/proc/%d/cmdline", child);
	CHECK_STR(test_read_file(path), "");
	snprintf(path, sizeof path, "/proc/%d/exe", child);
	CHECK_ERRNO(readlink(path, buffer, sizeof buffer), ENOENT);
	test_wait(child);
	OK(lseek(stat_fd, 0, SEEK_SET));
	CHECK_ERRNO(read(stat_fd, buffer, sizeof buffer), ESRCH);
	CHECK_ERRNO(read(status_fd, buffer, sizeof buffer), ESRCH);
	/* ESRCH while the name is still cached. */
	CHECK_EQ(openat(folder, "stat", O_RDONLY), -1);
	snprintf(path, sizeof path, "/proc/%d", child);
	CHECK_ERRNO(access(path, F_OK), ENOENT);
	return 0;
}
