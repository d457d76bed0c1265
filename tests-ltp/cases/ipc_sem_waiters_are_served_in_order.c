/* Who waits for a semaphore gets it in the order of arrival; a call that can go on passes one that cannot. */
#include "nos_ipc.h"

static int id;

static pid_t waiter(short change, int waiters)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(sem_one(id, 0, change, 0));
		_exit(0);
	}
	sem_await(id, 0, change ? GETNCNT : GETZCNT, waiters);
	return pid;
}

int main(void)
{
	id = (int)OK(semget(IPC_PRIVATE, 1, 0600));
	pid_t first = waiter(-1, 1), second = waiter(-3, 2), third = waiter(-1, 3);
	int status;
	OK(sem_one(id, 0, 1, 0));
	CHECK_EQ(waitpid(-1, &status, 0), first);
	CHECK_EQ(status, 0);
	/* One is not enough for the second, but for the third. */
	OK(sem_one(id, 0, 1, 0));
	CHECK_EQ(waitpid(-1, &status, 0), third);
	CHECK_EQ(semctl(id, 0, GETPID), third);
	OK(sem_one(id, 0, 4, 0));
	CHECK_EQ(waitpid(-1, &status, 0), second);
	CHECK_EQ(sem_value(id, 0), 1);
	/* Zero comes in between: who waits for it goes first. */
	pid_t zero = waiter(0, 1);
	CHECK_EQ(waitpid(zero, &status, WNOHANG), 0);
	pid_t taker = waiter(-2, 1);
	OK(sem_one(id, 0, -1, 0));
	CHECK_EQ(waitpid(-1, &status, 0), zero);
	OK(sem_one(id, 0, 2, 0));
	CHECK_EQ(waitpid(-1, &status, 0), taker);
	CHECK_EQ(sem_value(id, 0), 0);
	sem_remove(id);
	return 0;
}
