/* semop(2): all operations of a call or none; the limits and errors. */
#include "nos_ipc.h"

int main(void)
{
	int id = (int)OK(semget(IPC_PRIVATE, 3, 0600));
	struct sembuf both[] = { { 0, 2, 0 }, { 1, -1, IPC_NOWAIT } };
	CHECK_ERRNO(semop(id, both, 2), EAGAIN);
	CHECK_EQ(sem_value(id, 0), 0);
	/* What an earlier operation of the call gives, a later one may take. */
	struct sembuf within[] = { { 0, 3, 0 }, { 0, -2, 0 }, { 1, 1, 0 }, { 1, -1, 0 }, { 1, 0, 0 } };
	OK(semop(id, within, 5));
	CHECK_EQ(sem_value(id, 0), 1);
	CHECK_EQ(sem_value(id, 1), 0);
	/* Waiting for zero. */
	CHECK_ERRNO(sem_one(id, 0, 0, IPC_NOWAIT), EAGAIN);
	OK(sem_one(id, 1, 0, IPC_NOWAIT));
	/* Values end at 32767; nothing of the call is done. */
	struct sembuf much[] = { { 2, 5, 0 }, { 0, 32767, 0 } };
	CHECK_ERRNO(semop(id, much, 2), ERANGE);
	CHECK_EQ(sem_value(id, 2), 0);
	OK(sem_one(id, 2, 32767, 0));
	CHECK_ERRNO(sem_one(id, 2, 1, 0), ERANGE);
	CHECK_EQ(sem_value(id, 2), 32767);
	CHECK_ERRNO(sem_one(id, 3, 1, 0), EFBIG);
	CHECK_ERRNO(semop(id, both, 0), EINVAL);
	CHECK_ERRNO(semop(-1, both, 1), EINVAL);
	CHECK_ERRNO(semop(id, UNMAPPED_ADDRESS, 1), EFAULT);
	static struct sembuf many[501];
	CHECK_ERRNO(semop(id, many, 501), E2BIG);
	for (int i = 0; i < 500; i++)
		many[i] = (struct sembuf){ 1, 1, 0 };
	OK(semop(id, many, 500));
	CHECK_EQ(sem_value(id, 1), 500);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	sem_remove(id);
	return 0;
}
