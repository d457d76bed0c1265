/* Shared memory: zeros at first, common to all who attach it, inherited by fork, left by execve and exit. */
#include "nos_ipc.h"

static struct shmid_ds state(int id)
{
	struct shmid_ds data;
	OK(shmctl(id, IPC_STAT, &data));
	return data;
}

int main(void)
{
	time_t before = time(NULL);
	int id = (int)OK(shmget(0x4e4f5303, 10000, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERRNO(shmget(0x4e4f5303, 10001, 0), EINVAL);
	CHECK_EQ(shmget(0x4e4f5303, 0, 0), id);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	struct shmid_ds data = state(id);
	CHECK_EQ(data.shm_segsz, 10000);
	CHECK_EQ(data.shm_nattch, 0);
	CHECK_EQ(data.shm_cpid, getpid());
	CHECK_EQ(data.shm_lpid, 0);
	CHECK_EQ(data.shm_atime, 0);
	CHECK(data.shm_ctime >= before);
	char *first = shmat(id, NULL, 0), *second = shmat(id, NULL, 0);
	CHECK(first != (void *)-1 && second != (void *)-1 && first != second);
	for (int i = 0; i < 12288; i++)
		CHECK_EQ(first[i], 0);
	strcpy(first + 5000, "here");
	CHECK_STR(second + 5000, "here");
	CHECK_EQ(state(id).shm_nattch, 2);
	CHECK(state(id).shm_atime >= before);
	CHILD({
		CHECK_EQ(state(id).shm_nattch, 4);
		strcpy(first + 9000, "child");
		OK(shmdt(second));
		CHECK_EQ(state(id).shm_nattch, 3);
		CHECK_EQ(state(id).shm_lpid, getpid());
	});
	CHECK_EQ(state(id).shm_nattch, 2);
	CHECK_STR(second + 9000, "child");
	CHILD({
		execl("/bin/true", "true", NULL);
	});
	CHECK_EQ(state(id).shm_nattch, 2);
	OK(shmdt(first));
	CHECK_ERRNO(shmdt(first), EINVAL);
	CHECK_ERRNO(shmdt(second + 1), EINVAL);
	CHECK_ERRNO(shmdt(NULL), EINVAL);
	CHECK(state(id).shm_dtime >= before);
	CHECK_EQ(state(id).shm_lpid, getpid());
	OK(shmdt(second));
	/* The content stays while nobody has it attached. */
	first = shmat(id, NULL, SHM_RDONLY);
	CHECK_STR(first + 9000, "child");
	OK(shmdt(first));
	OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(shmctl(id, IPC_STAT, &data), EINVAL);
	CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EINVAL);
	return 0;
}
