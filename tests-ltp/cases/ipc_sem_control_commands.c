/* semctl(2): values, IPC_STAT and IPC_SET, time stamps, and the errors. */
#include "nos_ipc.h"

int main(void)
{
	time_t before = time(NULL);
	int id = (int)OK(semget(0x4e4f5302, 3, IPC_CREAT | IPC_EXCL | 0640));
	struct semid_ds data;
	OK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &data }));
	CHECK_EQ(data.sem_perm.__ipc_perm_key, 0x4e4f5302);
	CHECK_EQ(data.sem_perm.mode, 0640);
	CHECK_EQ(data.sem_perm.uid, 0);
	CHECK_EQ(data.sem_perm.cgid, 0);
	CHECK_EQ(data.sem_nsems, 3);
	CHECK_EQ(data.sem_otime, 0);
	CHECK(data.sem_ctime >= before && data.sem_ctime <= time(NULL));
	unsigned short values[3] = { 1, 32767, 3 }, read_back[3];
	OK(semctl(id, 0, SETALL, (union semun){ .array = values }));
	OK(semctl(id, 0, GETALL, (union semun){ .array = read_back }));
	CHECK(memcmp(values, read_back, sizeof values) == 0);
	CHECK_EQ(semctl(id, 2, GETPID), getpid());
	values[1] = 32768;
	CHECK_ERRNO(semctl(id, 0, SETALL, (union semun){ .array = values }), ERANGE);
	CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){ .val = -1 }), ERANGE);
	CHECK_ERRNO(semctl(id, 3, SETVAL, (union semun){ .val = 1 }), EINVAL);
	CHECK_ERRNO(semctl(id, -1, GETVAL), EINVAL);
	CHECK_ERRNO(semctl(id, 3, GETNCNT), EINVAL);
	CHECK_ERRNO(semctl(id, 0, 99), EINVAL);
	CHECK_ERRNO(semctl(-1, 0, IPC_RMID), EINVAL);
	CHECK_ERRNO(semctl(id, 0, GETALL, (union semun){ .array = UNMAPPED_ADDRESS }), EFAULT);
	CHECK_ERRNO(semctl(id, 0, SETALL, (union semun){ .array = UNMAPPED_ADDRESS }), EFAULT);
	CHECK_ERRNO(semctl(id, 0, IPC_STAT, (union semun){ .buf = UNMAPPED_ADDRESS }), EFAULT);
	CHECK_ERRNO(semctl(id, 0, IPC_SET, (union semun){ .buf = UNMAPPED_ADDRESS }), EFAULT);
	OK(sem_one(id, 0, -1, 0));
	data.sem_perm.uid = 1001;
	data.sem_perm.gid = 1002;
	data.sem_perm.mode = 07606;
	OK(semctl(id, 0, IPC_SET, (union semun){ .buf = &data }));
	OK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &data }));
	CHECK_EQ(data.sem_perm.uid, 1001);
	CHECK_EQ(data.sem_perm.gid, 1002);
	CHECK_EQ(data.sem_perm.cuid, 0);
	CHECK_EQ(data.sem_perm.mode, 0606);
	CHECK(data.sem_otime >= before && data.sem_otime <= time(NULL));
	data.sem_perm.uid = -1;
	CHECK_ERRNO(semctl(id, 0, IPC_SET, (union semun){ .buf = &data }), EINVAL);
	sem_remove(id);
	return 0;
}
