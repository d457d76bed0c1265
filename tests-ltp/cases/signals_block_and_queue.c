/* Blocked standard signals are kept once, real-time signals all and in order. */
#include "nos_test.h"

static int order[16];
static volatile int count;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	order[count++] = number * 100 + info->si_value.sival_int;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigset_t all, pending;
	sigfillset(&action.sa_mask);
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(sigaction(SIGRTMIN, &action, NULL));
	OK(sigaction(SIGRTMIN + 1, &action, NULL));
	sigfillset(&all);
	OK(sigprocmask(SIG_BLOCK, &all, NULL));
	OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 1 }));
	OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 2 }));
	OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 3 }));
	OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 4 }));
	OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 5 }));
	OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGRTMIN) && !sigismember(&pending, SIGUSR2));
	CHECK_EQ(count, 0);
	sigemptyset(&all);
	OK(sigprocmask(SIG_SETMASK, &all, NULL));
	CHECK_EQ(count, 4);
	CHECK_EQ(order[0], SIGUSR1 * 100 + 4);
	CHECK_EQ(order[1], SIGRTMIN * 100 + 2);
	CHECK_EQ(order[2], SIGRTMIN * 100 + 3);
	CHECK_EQ(order[3], (SIGRTMIN + 1) * 100 + 1);
	return 0;
}
