/* exit_group ends threads wherever they are: computing, sleeping, waiting for a pipe, a futex, a child. */
#include "nos_test.h"
#include <pthread.h>

static int ends[2];

static void *thread(void *kind)
{
	static int word;
	char byte;
	switch ((intptr_t)kind % 5) {
	case 0:
		for (;;)
			__asm__ volatile("pause");
	case 1:
		for (;;)
			pause();
	case 2:
		(void)!read(ends[0], &byte, 1);
		break;
	case 3:
		syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0);
		break;
	case 4:
		for (;;)
			sched_yield();
	}
	return NULL;
}

int main(void)
{
	OK(pipe(ends));
	for (int round = 0; round < 10; round++) {
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			pthread_t id;
			for (intptr_t i = 0; i < 15; i++)
				CHECK_EQ(pthread_create(&id, NULL, thread, (void *)i), 0);
			usleep(5000);
			_exit(11);
		}
		CHECK_EQ(WEXITSTATUS(test_wait(child)), 11);
	}
	return 0;
}
