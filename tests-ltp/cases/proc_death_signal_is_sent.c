/* PR_SET_PDEATHSIG: a child hears of its parent's end. */
#include "nos_test.h"
#include <sys/prctl.h>

int main(void)
{
	int ends[2], number = 0;
	OK(pipe(ends));
	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid_t parent = (pid_t)OK(fork());
	if (parent == 0) {
		int ready[2];
		OK(pipe(ready));
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			sigset_t set;
			sigemptyset(&set);
			sigaddset(&set, SIGUSR2);
			OK(sigprocmask(SIG_BLOCK, &set, NULL));
			OK(prctl(PR_SET_PDEATHSIG, SIGUSR2));
			OK(write(ready[1], "x", 1));
			number = sigtimedwait(&set, NULL, &(struct timespec){ 5, 0 });
			(void)!write(ends[1], &number, sizeof number);
			_exit(0);
		}
		char byte;
		OK(read(ready[0], &byte, 1));
		_exit(0);
	}
	CHECK_EQ(test_wait(parent), 0);
	CHECK_EQ(read(ends[0], &number, sizeof number), sizeof number);
	CHECK_EQ(number, SIGUSR2);
	return 0;
}
