/* The limits in /proc/sys/kernel are enforced, and what cannot be is refused. */
#include "nos_ipc.h"

static void refuse(const char *path, const char *text, int error)
{
	int fd = (int)OK(open(path, O_WRONLY));
	CHECK_ERRNO(write(fd, text, strlen(text)), error);
	OK(close(fd));
}

#define LIMIT(name) "/proc/sys/kernel/" name

static void restore(void)
{
	test_write_file(LIMIT("sem"), "32000 1024000000 500 32000\n");
	test_write_file(LIMIT("shmmax"), "18446744073692774399\n");
	test_write_file(LIMIT("shmall"), "18446744073692774399\n");
	test_write_file(LIMIT("shmmni"), "4096\n");
	test_write_file(LIMIT("msgmax"), "8192\n");
	test_write_file(LIMIT("msgmnb"), "16384\n");
	test_write_file(LIMIT("msgmni"), "32000\n");
}

static void check_limits(void)
{
	CHECK_STR(test_read_file(LIMIT("sem")), "32000\t1024000000\t500\t32000\n");
	CHECK_STR(test_read_file(LIMIT("msgmax")), "8192\n");
	CHECK_STR(test_read_file(LIMIT("msgmnb")), "16384\n");
	CHECK_STR(test_read_file(LIMIT("msgmni")), "32000\n");
	CHECK_STR(test_read_file(LIMIT("shmmni")), "4096\n");
	CHECK_STR(test_read_file(LIMIT("shmmax")), "18446744073692774399\n");
	CHECK_STR(test_read_file(LIMIT("shmall")), "18446744073692774399\n");
	CHECK_STR(test_read_file(LIMIT("shm_rmid_forced")), "0\n");

	test_write_file(LIMIT("sem"), "5 8 2 3\n");
	CHECK_STR(test_read_file(LIMIT("sem")), "5\t8\t2\t3\n");
	CHECK_ERRNO(semget(IPC_PRIVATE, 6, 0600), EINVAL);
	int first = (int)OK(semget(IPC_PRIVATE, 5, 0600));
	CHECK_ERRNO(semget(IPC_PRIVATE, 4, 0600), ENOSPC);
	struct sembuf operations[3] = { { 0, 1, 0 }, { 1, 1, 0 }, { 2, 1, 0 } };
	CHECK_ERRNO(semop(first, operations, 3), E2BIG);
	OK(semop(first, operations, 2));
	int second = (int)OK(semget(IPC_PRIVATE, 1, 0600)), third = (int)OK(semget(IPC_PRIVATE, 1, 0600));
	CHECK_ERRNO(semget(IPC_PRIVATE, 1, 0600), ENOSPC);
	sem_remove(first);
	sem_remove(second);
	sem_remove(third);
	refuse(LIMIT("sem"), "1 1 1 32769\n", ERANGE);
	CHECK_STR(test_read_file(LIMIT("sem")), "1\t1\t1\t3\n");
	refuse(LIMIT("sem"), "x\n", EINVAL);
	test_write_file(LIMIT("sem"), "32000 1024000000 500 32000\n");

	test_write_file(LIMIT("shmmax"), "8192\n");
	test_write_file(LIMIT("shmall"), "3\n");
	CHECK_ERRNO(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
	first = (int)OK(shmget(IPC_PRIVATE, 8192, 0600));
	CHECK_ERRNO(shmget(IPC_PRIVATE, 4097, 0600), ENOSPC);
	second = (int)OK(shmget(IPC_PRIVATE, 1, 0600));
	OK(shmctl(first, IPC_RMID, NULL));
	OK(shmctl(second, IPC_RMID, NULL));
	test_write_file(LIMIT("shmmax"), "18446744073692774399\n");
	test_write_file(LIMIT("shmall"), "18446744073692774399\n");
	test_write_file(LIMIT("shmmni"), "1\n");
	first = (int)OK(shmget(IPC_PRIVATE, 1, 0600));
	CHECK_ERRNO(shmget(IPC_PRIVATE, 1, 0600), ENOSPC);
	OK(shmctl(first, IPC_RMID, NULL));
	test_write_file(LIMIT("shmmni"), "4096\n");
	refuse(LIMIT("shmmni"), "32769\n", EINVAL);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 1UL << 50, 0600), ENOMEM);
	OK(shmctl((int)OK(shmget(IPC_PRIVATE, 1UL << 50, 0600 | SHM_NORESERVE)), IPC_RMID, NULL));

	test_write_file(LIMIT("msgmax"), "3\n");
	test_write_file(LIMIT("msgmnb"), "5\n");
	test_write_file(LIMIT("msgmni"), "1\n");
	first = (int)OK(msgget(IPC_PRIVATE, 0600));
	CHECK_ERRNO(msgget(IPC_PRIVATE, 0600), ENOSPC);
	CHECK_ERRNO(send_text(first, 1, "four", 0), EINVAL);
	OK(send_text(first, 1, "two", IPC_NOWAIT));
	CHECK_ERRNO(send_text(first, 1, "two", IPC_NOWAIT), EAGAIN);
	OK(msgctl(first, IPC_RMID, NULL));
	refuse(LIMIT("msgmax"), "-1\n", EINVAL);
}

int main(void)
{
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		check_limits();
		_exit(0);
	}
	int status = test_wait(child);
	restore();
	CHECK_EQ(status, 0);
	return 0;
}
