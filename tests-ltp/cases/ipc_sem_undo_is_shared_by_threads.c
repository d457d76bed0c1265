/* CLONE_SYSVSEM: threads share what is taken back, which happens when the last has gone; unshare(2) ends the sharing. */
#include "nos_ipc.h"
#include <pthread.h>
#include <sched.h>

static int id;

static void *take(void *unused)
{
	(void)unused;
	OK(sem_one(id, 0, -1, SEM_UNDO));
	return NULL;
}

static void *leave(void *unused)
{
	(void)unused;
	OK(sem_one(id, 0, -1, SEM_UNDO));
	OK(unshare(CLONE_SYSVSEM));
	/* Others still share the list. */
	CHECK_EQ(sem_value(id, 0), 2);
	OK(sem_one(id, 1, 5, SEM_UNDO));
	return NULL;
}

int main(void)
{
	id = (int)OK(semget(IPC_PRIVATE, 2, 0600));
	sem_set(id, 0, 4);
	CHILD({
		pthread_t thread;
		CHECK_EQ(pthread_create(&thread, NULL, take, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		usleep(20000);
		CHECK_EQ(sem_value(id, 0), 3);
		CHECK_EQ(pthread_create(&thread, NULL, leave, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		for (int i = 0; i < 5000 && sem_value(id, 1) != 0; i++)
			usleep(1000);
		CHECK_EQ(sem_value(id, 1), 0);
		CHECK_EQ(sem_value(id, 0), 2);
		/* A single user's list is taken back at once. */
		OK(sem_one(id, 1, 3, SEM_UNDO));
		OK(unshare(CLONE_SYSVSEM));
		CHECK_EQ(sem_value(id, 1), 0);
		CHECK_EQ(sem_value(id, 0), 4);
	});
	CHECK_EQ(sem_value(id, 0), 4);
	sem_remove(id);
	return 0;
}
