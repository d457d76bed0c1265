/* A call with several operations waits until all can be done, and counts where it is stuck. */
#include "nos_ipc.h"

int main(void)
{
	int id = (int)OK(semget(IPC_PRIVATE, 4, 0600)), status;
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		struct sembuf all[] = { { 0, -1, 0 }, { 1, -1, 0 }, { 2, 0, 0 }, { 3, 1, 0 } };
		OK(semop(id, all, 4));
		_exit(0);
	}
	sem_await(id, 0, GETNCNT, 1);
	sem_set(id, 2, 1);
	OK(sem_one(id, 0, 1, 0));
	sem_await(id, 0, GETNCNT, 0);
	CHECK_EQ(semctl(id, 1, GETNCNT), 1);
	CHECK_EQ(sem_value(id, 0), 1);
	OK(sem_one(id, 1, 1, 0));
	sem_await(id, 2, GETZCNT, 1);
	CHECK_EQ(semctl(id, 1, GETNCNT), 0);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	/* What the waiting call gives, a second one may be waiting for. */
	pid_t next = (pid_t)OK(fork());
	if (next == 0) {
		OK(sem_one(id, 3, -1, 0));
		_exit(0);
	}
	sem_await(id, 3, GETNCNT, 1);
	OK(sem_one(id, 2, -1, 0));
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(test_wait(next), 0);
	unsigned short values[4];
	OK(semctl(id, 0, GETALL, (union semun){ .array = values }));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(values[i], 0);
	/* Several zeros. */
	sem_set(id, 0, 1);
	sem_set(id, 1, 1);
	child = (pid_t)OK(fork());
	if (child == 0) {
		struct sembuf zeros[] = { { 0, 0, 0 }, { 1, 0, 0 } };
		OK(semop(id, zeros, 2));
		_exit(0);
	}
	sem_await(id, 0, GETZCNT, 1);
	OK(sem_one(id, 0, -1, 0));
	sem_await(id, 1, GETZCNT, 1);
	struct sembuf last[] = { { 1, -1, 0 }, { 3, 1, 0 } };
	OK(semop(id, last, 2));
	CHECK_EQ(test_wait(child), 0);
	/* A taker that came later reaches the zero that an earlier call waits for. */
	sem_set(id, 0, 1);
	sem_set(id, 1, 0);
	child = (pid_t)OK(fork());
	if (child == 0) {
		struct sembuf mixed[] = { { 0, 0, 0 }, { 1, 1, 0 } };
		OK(semop(id, mixed, 2));
		_exit(0);
	}
	sem_await(id, 0, GETZCNT, 1);
	next = (pid_t)OK(fork());
	if (next == 0) {
		OK(sem_one(id, 0, -2, 0));
		_exit(0);
	}
	sem_await(id, 0, GETNCNT, 1);
	OK(sem_one(id, 0, 1, 0));
	CHECK_EQ(test_wait(next), 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(sem_value(id, 1), 1);
	sem_remove(id);
	return 0;
}
