/* A stopped group that loses its last tie to the session gets SIGHUP and SIGCONT. */
#include "nos_test.h"
#include <sys/prctl.h>

static volatile sig_atomic_t seen;

static void note(int number)
{
	seen |= number == SIGHUP ? 1 : 2;
}

int main(void)
{
	int ends[2], result = -1;
	OK(pipe(ends));
	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid_t parent = (pid_t)OK(fork());
	if (parent == 0) {
		OK(setsid());
		pid_t job = (pid_t)OK(fork());
		if (job == 0) {
			OK(setpgid(0, 0));
			signal(SIGHUP, note);
			signal(SIGCONT, note);
			OK(raise(SIGSTOP));
			for (int i = 0; i < 2000 && seen != 3; i++)
				usleep(1000);
			result = seen;
			(void)!write(ends[1], &result, sizeof result);
			_exit(0);
		}
		int status;
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status));
		_exit(0);
	}
	CHECK_EQ(test_wait(parent), 0);
	CHECK_EQ(read(ends[0], &result, sizeof result), sizeof result);
	CHECK_EQ(result, 3);
	return 0;
}
