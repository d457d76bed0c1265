/* SHM_LOCK and its rights; shm_rmid_forced ends what nobody has attached with its maker. */
#include "nos_ipc.h"
#include <sys/resource.h>

#define LOCKED 02000
#define FORCED "/proc/sys/kernel/shm_rmid_forced"

int main(void)
{
	struct shmid_ds data;
	int id = (int)OK(shmget(IPC_PRIVATE, 2 * 4096, 0666));
	OK(shmctl(id, SHM_LOCK, NULL));
	OK(shmctl(id, SHM_LOCK, NULL));
	OK(shmctl(id, IPC_STAT, &data));
	CHECK_EQ(data.shm_perm.mode, 0666 | LOCKED);
	OK(shmctl(id, SHM_UNLOCK, NULL));
	OK(shmctl(id, SHM_UNLOCK, NULL));
	OK(shmctl(id, IPC_STAT, &data));
	CHECK_EQ(data.shm_perm.mode, 0666);
	CHILD({
		become_user(1001);
		CHECK_ERRNO(shmctl(id, SHM_LOCK, NULL), EPERM);
		CHECK_ERRNO(shmctl(id, SHM_UNLOCK, NULL), EPERM);
		int own = (int)OK(shmget(IPC_PRIVATE, 2 * 4096, 0600));
		struct rlimit limit = { 4096, 8192 };
		OK(setrlimit(RLIMIT_MEMLOCK, &limit));
		CHECK_ERRNO(shmctl(own, SHM_LOCK, NULL), ENOMEM);
		limit.rlim_cur = 8192;
		OK(setrlimit(RLIMIT_MEMLOCK, &limit));
		OK(shmctl(own, SHM_LOCK, NULL));
		int second = (int)OK(shmget(IPC_PRIVATE, 4096, 0600));
		CHECK_ERRNO(shmctl(second, SHM_LOCK, NULL), ENOMEM);
		OK(shmctl(own, IPC_RMID, NULL));
		OK(shmctl(second, SHM_LOCK, NULL));
		OK(shmctl(second, SHM_UNLOCK, NULL));
		limit.rlim_cur = 0;
		OK(setrlimit(RLIMIT_MEMLOCK, &limit));
		CHECK_ERRNO(shmctl(second, SHM_LOCK, NULL), EPERM);
		OK(shmctl(second, IPC_RMID, NULL));
	});
	CHECK_ERRNO(shmctl(id, 99, NULL), EINVAL);

	int pipes[2], orphan, kept, own;
	OK(pipe(pipes));
	CHILD({
		orphan = (int)OK(shmget(IPC_PRIVATE, 4096, 0600));
		CHECK_EQ(write(pipes[1], &orphan, sizeof orphan), sizeof orphan);
	});
	CHECK_EQ(read(pipes[0], &orphan, sizeof orphan), sizeof orphan);
	OK(shmctl(orphan, IPC_STAT, &data));
	own = (int)OK(shmget(IPC_PRIVATE, 4096, 0600));
	test_write_file(FORCED, "1\n");
	/* What has lost its maker goes at once, what has one stays. */
	CHECK_ERRNO(shmctl(orphan, IPC_STAT, &data), EINVAL);
	OK(shmctl(own, IPC_STAT, &data));
	CHILD({
		kept = (int)OK(shmget(IPC_PRIVATE, 4096, 0600));
		orphan = (int)OK(shmget(IPC_PRIVATE, 4096, 0600));
		CHECK_EQ(write(pipes[1], &orphan, sizeof orphan), sizeof orphan);
		CHECK(shmat(kept, NULL, 0) != (void *)-1);
	});
	CHECK_EQ(read(pipes[0], &orphan, sizeof orphan), sizeof orphan);
	CHECK_ERRNO(shmctl(orphan, IPC_STAT, &data), EINVAL);
	/* The last detach is the end of any. */
	char *place = shmat(own, NULL, 0);
	OK(shmdt(place));
	CHECK_ERRNO(shmctl(own, IPC_STAT, &data), EINVAL);
	test_write_file(FORCED, "0\n");
	int fd = (int)OK(open(FORCED, O_WRONLY));
	CHECK_ERRNO(write(fd, "2\n", 2), EINVAL);
	OK(shmctl(id, IPC_RMID, NULL));
	return 0;
}
