/* Real-time signals sent as fast as they can be from several processes all arrive, whatever they interrupt. */
#include "nos_test.h"
#include <stdatomic.h>

#define SENDERS 4
#define EACH 500

static volatile int received;
static volatile long sum;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	received++;
	sum += info->si_value.sival_int;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	OK(sigaction(SIGRTMIN, &action, NULL));
	pid_t target = getpid(), senders[SENDERS];
	for (int s = 0; s < SENDERS; s++) {
		senders[s] = (pid_t)OK(fork());
		if (senders[s] == 0) {
			for (int i = 1; i <= EACH; i++)
				while (sigqueue(target, SIGRTMIN, (union sigval){ .sival_int = i }) != 0) {
					if (errno != EAGAIN)
						_exit(1);
					usleep(1000);
				}
			_exit(0);
		}
	}
	double x = 1.5;
	int pipes[2];
	char byte;
	OK(pipe(pipes));
	while (received < SENDERS * EACH) {
		/* Floating point state and calls survive the interruptions. */
		for (int i = 0; i < 100; i++)
			x = x * 1.25 / 1.25;
		CHECK_EQ(write(pipes[1], "a", 1), 1);
		CHECK_EQ(read(pipes[0], &byte, 1), 1);
	}
	CHECK(x == 1.5);
	CHECK_EQ(sum, (long)SENDERS * EACH * (EACH + 1) / 2);
	for (int s = 0; s < SENDERS; s++)
		CHECK_EQ(test_wait(senders[s]), 0);
	CHECK_EQ(received, SENDERS * EACH);
	return 0;
}
