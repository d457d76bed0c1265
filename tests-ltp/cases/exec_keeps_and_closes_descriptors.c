/* exec keeps descriptors except those with O_CLOEXEC, and resets handlers but not ignored signals. */
#include "nos_test.h"

static void handler(int number)
{
	(void)number;
}

int main(int count, char **arguments)
{
	if (count == 3) {
		struct sigaction action;
		CHECK_EQ(fcntl(atoi(arguments[1]), F_GETFD), 0);
		CHECK_ERRNO(fcntl(atoi(arguments[2]), F_GETFD), EBADF);
		OK(sigaction(SIGUSR1, NULL, &action));
		CHECK(action.sa_handler == SIG_DFL);
		OK(sigaction(SIGUSR2, NULL, &action));
		CHECK(action.sa_handler == SIG_IGN);
		sigset_t mask;
		OK(sigprocmask(SIG_BLOCK, NULL, &mask));
		CHECK(sigismember(&mask, SIGHUP));
		return 0;
	}
	char kept[8], closed[8];
	sigset_t mask;
	sprintf(kept, "%d", (int)OK(open("/dev/null", O_RDONLY)));
	sprintf(closed, "%d", (int)OK(open("/dev/null", O_RDONLY | O_CLOEXEC)));
	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	OK(sigprocmask(SIG_BLOCK, &mask, NULL));
	execl("/proc/self/exe", "again", kept, closed, (char *)NULL);
	FAIL("exec: %s", strerror(errno));
}
