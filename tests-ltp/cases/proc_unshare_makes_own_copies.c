/* unshare: descriptors and directories become the caller's own. */
#include "nos_test.h"
#include <sched.h>

int main(void)
{
	CHECK_ERRNO(unshare(1), EINVAL);
	OK(unshare(0));
	OK(mkdir("d", 0755));
	for (int own = 0; own < 2; own++) {
		int fd = (int)OK(open(".", O_RDONLY));
		pid_t child = (pid_t)OK(syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
		if (child == 0) {
			if (own)
				OK(unshare(CLONE_FILES | CLONE_FS));
			OK(close(fd));
			OK(chdir(own ? "/" : "d"));
			_exit(0);
		}
		CHECK_EQ(test_wait(child), 0);
		if (own)
			OK(close(fd));
		else
			CHECK_ERRNO(close(fd), EBADF);
		OK(chdir(own ? "." : ".."));
		OK(access("d", F_OK));
	}
	return 0;
}
