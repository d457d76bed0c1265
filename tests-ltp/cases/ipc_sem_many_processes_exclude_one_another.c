/* A semaphore as a lock between processes: no two are inside at once, however they race. */
#include "nos_ipc.h"
#include <sched.h>

enum { PROCESSES = 8, ROUNDS = 400 };

int main(void)
{
	int id = (int)OK(semget(IPC_PRIVATE, 2, 0600));
	sem_set(id, 0, 1);
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++) {
		if (OK(fork()) != 0)
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			OK(sem_one(id, 0, -1, SEM_UNDO));
			CHECK_EQ(shared[1]++, 0);
			shared[0]++;
			if (round % 64 == 0)
				sched_yield();
			shared[1]--;
			struct sembuf out[] = { { 0, 1, SEM_UNDO }, { 1, 1, 0 } };
			OK(semop(id, out, round % 2 ? 2 : 1));
		}
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;
		OK(wait(&status));
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(shared[0], PROCESSES * ROUNDS);
	CHECK_EQ(sem_value(id, 0), 1);
	CHECK_EQ(sem_value(id, 1), PROCESSES * ROUNDS / 2);
	sem_remove(id);
	return 0;
}
