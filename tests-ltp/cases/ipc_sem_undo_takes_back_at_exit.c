/* SEM_UNDO: what a process did is taken back at its end, as far as it can be. */
#include "nos_ipc.h"

int main(void)
{
	int id = (int)OK(semget(IPC_PRIVATE, 2, 0600));
	sem_set(id, 0, 5);
	CHILD({
		OK(sem_one(id, 0, -2, SEM_UNDO));
		OK(sem_one(id, 0, -1, 0));
		struct sembuf both[] = { { 0, 1, SEM_UNDO }, { 1, 7, SEM_UNDO } };
		OK(semop(id, both, 2));
		CHECK_EQ(sem_value(id, 0), 3);
	});
	CHECK_EQ(sem_value(id, 0), 4);
	CHECK_EQ(sem_value(id, 1), 0);
	/* It survives execve and is not inherited by fork. */
	CHILD({
		OK(sem_one(id, 0, -4, SEM_UNDO));
		CHILD(CHECK_EQ(sem_value(id, 0), 0));
		CHECK_EQ(sem_value(id, 0), 0);
		execl("/bin/true", "true", NULL);
	});
	CHECK_EQ(sem_value(id, 0), 4);
	/* SETVAL and SETALL forget what was to be taken back. */
	CHILD({
		OK(sem_one(id, 0, 1, SEM_UNDO));
		OK(sem_one(id, 1, 1, SEM_UNDO));
		sem_set(id, 0, 9);
	});
	CHECK_EQ(sem_value(id, 0), 9);
	CHECK_EQ(sem_value(id, 1), 0);
	/* Somebody took meanwhile what was to be taken back: no value goes below zero. */
	CHILD({
		OK(sem_one(id, 1, 3, SEM_UNDO));
		CHILD(OK(sem_one(id, 1, -2, 0)));
	});
	CHECK_EQ(sem_value(id, 1), 0);
	/* Adjustments have a range. */
	CHILD({
		sem_set(id, 0, 0);
		OK(sem_one(id, 0, 32767, SEM_UNDO));
		OK(sem_one(id, 0, -32767, 0));
		OK(sem_one(id, 0, 1, SEM_UNDO));
		OK(sem_one(id, 0, -1, 0));
		CHECK_ERRNO(sem_one(id, 0, 1, SEM_UNDO), ERANGE);
		CHECK_EQ(sem_value(id, 0), 0);
	});
	/* The end of one lets another go on, and tells who it was. */
	sem_set(id, 0, 1);
	pid_t holder = (pid_t)OK(fork());
	if (holder == 0) {
		OK(sem_one(id, 0, -1, SEM_UNDO));
		pause();
	}
	for (int i = 0; i < 5000 && sem_value(id, 0) != 0; i++)
		usleep(1000);
	pid_t waiter = (pid_t)OK(fork());
	if (waiter == 0) {
		OK(sem_one(id, 0, -1, 0));
		_exit(0);
	}
	sem_await(id, 0, GETNCNT, 1);
	OK(kill(holder, SIGKILL));
	CHECK_EQ(test_wait(waiter), 0);
	CHECK_EQ(test_wait(holder), SIGKILL);
	sem_remove(id);
	return 0;
}
