/* semget(2): keys, IPC_CREAT, IPC_EXCL, and the errors. */
#include "nos_ipc.h"

int main(void)
{
	key_t key = 0x4e4f5301;
	CHECK_ERRNO(semget(key, 1, 0), ENOENT);
	CHECK_ERRNO(semget(key, -1, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(semget(key, 32001, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(semget(key, 0, IPC_CREAT | 0600), EINVAL);
	int id = (int)OK(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
	CHECK(id >= 0);
	CHECK_EQ(semget(key, 3, 0600), id);
	CHECK_EQ(semget(key, 0, 0), id);
	CHECK_EQ(semget(key, 2, IPC_CREAT | 0600), id);
	CHECK_ERRNO(semget(key, 4, 0600), EINVAL);
	CHECK_ERRNO(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	/* IPC_PRIVATE always makes a new one, whatever the flags. */
	int first = (int)OK(semget(IPC_PRIVATE, 1, 0600)), second = (int)OK(semget(IPC_PRIVATE, 1, 0600));
	CHECK(first != second && first != id);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(sem_value(id, i), 0);
	sem_remove(first);
	sem_remove(second);
	sem_remove(id);
	CHECK_ERRNO(semget(key, 1, 0), ENOENT);
	CHECK_ERRNO(semctl(id, 0, GETVAL), EINVAL);
	CHECK_ERRNO(sem_one(id, 0, 1, 0), EINVAL);
	return 0;
}
