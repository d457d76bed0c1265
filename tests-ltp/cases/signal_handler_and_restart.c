/* A handler runs; SA_RESTART restarts a read, without it the read gets EINTR. */
#include "nos_test.h"

static volatile sig_atomic_t seen;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (number == SIGUSR1 && info->si_code == SI_USER)
		seen++;
}

static void install(int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
	OK(sigaction(SIGUSR1, &action, NULL));
}

static pid_t helper(int fd)
{
	pid_t parent = getpid(), child = (pid_t)OK(fork());
	if (child == 0) {
		usleep(50000);
		kill(parent, SIGUSR1);
		usleep(50000);
		if (write(fd, "x", 1) != 1)
			_exit(1);
		_exit(0);
	}
	return child;
}

int main(void)
{
	int ends[2];
	char byte;
	OK(pipe(ends));
	install(0);
	pid_t child = helper(ends[1]);
	CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
	CHECK_EQ(seen, 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	install(SA_RESTART);
	child = helper(ends[1]);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(seen, 2);
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
