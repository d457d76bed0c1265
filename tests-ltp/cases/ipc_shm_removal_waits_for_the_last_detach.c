/* IPC_RMID on a segment in use: it has no key any more, can still be attached by its identifier, and ends with the last detach. */
#include "nos_ipc.h"

#define DEST 01000

int main(void)
{
	key_t key = 0x4e4f5304;
	int id = (int)OK(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600));
	char *place = shmat(id, NULL, 0);
	CHECK(place != (void *)-1);
	strcpy(place, "kept");
	OK(shmctl(id, IPC_RMID, NULL));
	struct shmid_ds data;
	OK(shmctl(id, IPC_STAT, &data));
	CHECK_EQ(data.shm_perm.mode, 0600 | DEST);
	CHECK_EQ(data.shm_perm.__ipc_perm_key, 0);
	CHECK_ERRNO(shmget(key, 4096, 0), ENOENT);
	int other = (int)OK(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600));
	CHECK(other != id);
	char *again = shmat(id, NULL, 0);
	CHECK(again != (void *)-1);
	CHECK_STR(again, "kept");
	OK(shmdt(place));
	OK(shmctl(id, IPC_STAT, &data));
	OK(shmctl(id, IPC_RMID, NULL));
	CHILD({
		OK(shmdt(again));
		OK(shmctl(id, IPC_STAT, &data));
		CHECK_EQ(data.shm_nattch, 1);
	});
	OK(shmdt(again));
	CHECK_ERRNO(shmctl(id, IPC_STAT, &data), EINVAL);
	OK(shmctl(other, IPC_RMID, NULL));
	/* The end of the last process that has it attached is its end too. */
	int pipes[2];
	OK(pipe(pipes));
	CHILD({
		id = (int)OK(shmget(IPC_PRIVATE, 4096, 0600));
		CHECK(shmat(id, NULL, 0) != (void *)-1);
		OK(shmctl(id, IPC_RMID, NULL));
		OK(shmctl(id, IPC_STAT, &data));
		CHECK_EQ(write(pipes[1], &id, sizeof id), sizeof id);
	});
	CHECK_EQ(read(pipes[0], &id, sizeof id), sizeof id);
	CHECK_ERRNO(shmctl(id, IPC_STAT, &data), EINVAL);
	return 0;
}
