/* prlimit64: another process's limits, and what may be changed. */
#include "nos_test.h"
#include <sys/resource.h>

int main(void)
{
	struct rlimit old, new;
	CHECK_ERRNO(getrlimit(16, &old), EINVAL);
	CHECK_ERRNO(getrlimit(RLIMIT_CORE, UNMAPPED_ADDRESS), EFAULT);
	CHECK_ERRNO(syscall(SYS_prlimit64, 4000000, RLIMIT_CORE, NULL, &old), ESRCH);
	OK(getrlimit(RLIMIT_NOFILE, &old));
	new = (struct rlimit){ old.rlim_cur, (rlim_t)1 << 40 };
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &new), EPERM);
	int ends[2];
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		OK(read(ends[0], &byte, 1));
		OK(getrlimit(RLIMIT_CORE, &new));
		_exit(new.rlim_cur == 77 && new.rlim_max == 99 ? 0 : 1);
	}
	new = (struct rlimit){ 77, 99 };
	OK(syscall(SYS_prlimit64, child, RLIMIT_CORE, &new, &old));
	OK(syscall(SYS_prlimit64, child, RLIMIT_CORE, NULL, &new));
	CHECK_EQ(new.rlim_cur, 77);
	OK(write(ends[1], "x", 1));
	CHECK_EQ(test_wait(child), 0);
	CHILD({
		new.rlim_cur = 5;
		new.rlim_max = 10;
		OK(setrlimit(RLIMIT_CORE, &new));
		OK(setuid(1000));
		new.rlim_max = 11;
		CHECK_ERRNO(setrlimit(RLIMIT_CORE, &new), EPERM);
		CHECK_ERRNO(syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, &new, NULL), EPERM);
	});
	return 0;
}
