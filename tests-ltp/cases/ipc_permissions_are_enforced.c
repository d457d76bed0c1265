/* Modes of System V objects: owner, group, others, CAP_IPC_OWNER; who may remove and change. */
#include "nos_ipc.h"

int main(void)
{
	int sem = (int)OK(semget(IPC_PRIVATE, 1, 0600)), read_only = (int)OK(semget(IPC_PRIVATE, 1, 0644));
	int queue = (int)OK(msgget(0x4e4f5305, IPC_CREAT | IPC_EXCL | 0622)), seg = (int)OK(shmget(IPC_PRIVATE, 4096, 0604));
	struct semid_ds data;
	struct shmid_ds seg_data;
	struct msqid_ds queue_data;
	CHILD({
		become_user(1001);
		CHECK_ERRNO(sem_one(sem, 0, 1, 0), EACCES);
		CHECK_ERRNO(sem_one(sem, 0, 0, 0), EACCES);
		CHECK_ERRNO(semctl(sem, 0, GETVAL), EACCES);
		CHECK_ERRNO(semctl(sem, 0, IPC_STAT, (union semun){ .buf = &data }), EACCES);
		CHECK_ERRNO(semctl(sem, 0, IPC_RMID), EPERM);
		CHECK_EQ(sem_value(read_only, 0), 0);
		OK(sem_one(read_only, 0, 0, 0));
		CHECK_ERRNO(sem_one(read_only, 0, 1, 0), EACCES);
		CHECK_ERRNO(semctl(read_only, 0, SETVAL, (union semun){ .val = 1 }), EACCES);
		OK(semctl(read_only, 0, IPC_STAT, (union semun){ .buf = &data }));
		CHECK_ERRNO(semctl(read_only, 0, IPC_SET, (union semun){ .buf = &data }), EPERM);
		OK(send_text(queue, 1, "in", 0));
		CHECK(receive_text(queue, 0, IPC_NOWAIT) == NULL && errno == EACCES);
		CHECK_ERRNO(msgctl(queue, IPC_STAT, &queue_data), EACCES);
		CHECK_EQ(msgget(0x4e4f5305, 0222), queue);
		CHECK_ERRNO(msgget(0x4e4f5305, 0444), EACCES);
		CHECK_ERRNO(msgctl(queue, IPC_RMID, NULL), EPERM);
		CHECK(shmat(seg, NULL, 0) == (void *)-1 && errno == EACCES);
		CHECK(shmat(seg, NULL, SHM_RDONLY | SHM_EXEC) == (void *)-1 && errno == EACCES);
		CHECK(shmat(seg, NULL, SHM_RDONLY) != (void *)-1);
		CHECK_ERRNO(shmctl(seg, IPC_RMID, NULL), EPERM);
	});
	/* A new owner has the owner's rights, and so has the creator still. */
	OK(semctl(sem, 0, IPC_STAT, (union semun){ .buf = &data }));
	data.sem_perm.uid = 1001;
	data.sem_perm.gid = 1002;
	data.sem_perm.mode = 0620;
	OK(semctl(sem, 0, IPC_SET, (union semun){ .buf = &data }));
	CHILD({
		OK(setgid(1002));
		OK(setuid(1003));
		OK(sem_one(sem, 0, 1, 0));
		CHECK_ERRNO(semctl(sem, 0, GETVAL), EACCES);
		CHECK_ERRNO(semctl(sem, 0, IPC_RMID), EPERM);
	});
	CHILD({
		become_user(1001);
		CHECK_EQ(sem_value(sem, 0), 1);
		sem_remove(sem);
	});
	CHECK_ERRNO(semctl(sem, 0, GETVAL), EINVAL);
	/* A receiver that waits loses with its right. */
	OK(shmctl(seg, IPC_STAT, &seg_data));
	OK(msgctl(queue, IPC_STAT, &queue_data));
	OK(msgrcv(queue, &(struct message){ 0 }, 64, 0, 0));
	queue_data.msg_perm.mode = 0666;
	OK(msgctl(queue, IPC_SET, &queue_data));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		become_user(1001);
		CHECK(receive_text(queue, 0, 0) == NULL && errno == EACCES);
		_exit(0);
	}
	await_sleep(child);
	queue_data.msg_perm.mode = 0600;
	OK(msgctl(queue, IPC_SET, &queue_data));
	CHECK_EQ(test_wait(child), 0);
	sem_remove(read_only);
	OK(msgctl(queue, IPC_RMID, NULL));
	OK(shmctl(seg, IPC_RMID, NULL));
	return 0;
}
