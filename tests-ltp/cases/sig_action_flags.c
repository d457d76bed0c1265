/* SA_RESETHAND, SA_NODEFER, the handler's mask, SA_SIGINFO, and what sigaction(2) refuses. */
#include "nos_test.h"

static volatile int depth, deepest, count;
static volatile sigset_t seen;

static void nest(int sig)
{
	if (++depth > deepest)
		deepest = depth;
	if (count++ < 3)
		raise(sig);
	depth--;
}

static void look(int sig)
{
	(void)sig;
	sigprocmask(SIG_BLOCK, NULL, (sigset_t *)&seen);
}

int main(void)
{
	struct sigaction action = { .sa_handler = nest, .sa_flags = SA_NODEFER }, old;
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ(deepest, 4);
	count = depth = deepest = 0;
	action.sa_flags = 0;
	OK(sigaction(SIGUSR1, &action, &old));
	CHECK((old.sa_flags & SA_NODEFER) != 0);
	OK(raise(SIGUSR1));
	CHECK_EQ(deepest, 1);
	CHECK_EQ(count, 4);

	action.sa_handler = look;
	action.sa_flags = SA_RESETHAND;
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaddset(&action.sa_mask, SIGKILL);
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(raise(SIGUSR1));
	CHECK(sigismember((sigset_t *)&seen, SIGUSR1) == 1);
	CHECK(sigismember((sigset_t *)&seen, SIGUSR2) == 1);
	CHECK(sigismember((sigset_t *)&seen, SIGKILL) == 0);
	OK(sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == SIG_DFL);
	sigset_t now;
	OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK(sigismember(&now, SIGUSR1) == 0);

	CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
	CHECK_ERRNO(sigaction(SIGSTOP, &action, NULL), EINVAL);
	OK(sigaction(SIGKILL, NULL, &old));
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, 1, NULL, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 7, &now, NULL, 8), EINVAL);
	/* Setting to ignore discards what is pending. */
	sigemptyset(&now);
	sigaddset(&now, SIGUSR2);
	OK(sigprocmask(SIG_BLOCK, &now, NULL));
	OK(raise(SIGUSR2));
	signal(SIGUSR2, SIG_IGN);
	sigset_t pending;
	OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR2) == 0);
	return 0;
}
