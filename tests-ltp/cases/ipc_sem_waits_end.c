/* A wait ends with EIDRM when the set is removed, EINTR on a signal whatever SA_RESTART says, EAGAIN when the time is over. */
#include "nos_ipc.h"

int main(void)
{
	int id = (int)OK(semget(IPC_PRIVATE, 2, 0600));
	struct sembuf take = { 0, -1, 0 };
	struct timespec none = { 0, 0 }, soon = { 0, 50000000 }, bad = { 0, 1000000000 }, negative = { -1, 0 };
	int64_t start = test_now();
	CHECK_ERRNO(semtimedop(id, &take, 1, &none), EAGAIN);
	CHECK_ERRNO(semtimedop(id, &take, 1, &soon), EAGAIN);
	CHECK(test_now() - start >= 50000);
	CHECK_ERRNO(semtimedop(id, &take, 1, &bad), EINVAL);
	CHECK_ERRNO(semtimedop(id, &take, 1, &negative), EINVAL);
	CHECK_ERRNO(semtimedop(id, &take, 1, UNMAPPED_ADDRESS), EFAULT);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	/* A time-out that is not needed. */
	sem_set(id, 0, 1);
	OK(semtimedop(id, &take, 1, &soon));

	handle_with_restart(SIGUSR1);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_ERRNO(sem_one(id, 0, -1, 0), EINTR);
		CHECK_EQ(semctl(id, 0, GETNCNT), 0);
		_exit(0);
	}
	sem_await(id, 0, GETNCNT, 1);
	OK(kill(child, SIGUSR1));
	CHECK_EQ(test_wait(child), 0);

	pid_t children[3];
	struct sembuf several[] = { { 0, 0, 0 }, { 1, -1, 0 } };
	sem_set(id, 0, 2);
	for (int i = 0; i < 3; i++) {
		children[i] = (pid_t)OK(fork());
		if (children[i] == 0) {
			if (i == 0)
				CHECK_ERRNO(sem_one(id, 1, -1, 0), EIDRM);
			if (i == 1)
				CHECK_ERRNO(sem_one(id, 0, 0, 0), EIDRM);
			if (i == 2)
				CHECK_ERRNO(semop(id, several, 2), EIDRM);
			_exit(0);
		}
	}
	sem_await(id, 1, GETNCNT, 1);
	sem_await(id, 0, GETZCNT, 2);
	sem_remove(id);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
	return 0;
}
