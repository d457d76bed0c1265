/* Threads share memory and descriptors; exit ends them all. */
#include "nos_test.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *work(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)(long)(syscall(SYS_gettid) != getpid());
}

static void *sleeper(void *argument)
{
	for (;;)
		pause();
	return argument;
}

int main(void)
{
	pthread_t threads[4];
	void *result;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, 1);
	}
	CHECK_EQ(counter, 80000);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		for (int i = 0; i < 3; i++)
			pthread_create(&threads[i], NULL, sleeper, NULL);
		exit(4);
	}
	int status = test_wait(child);
	CHECK_EQ(WEXITSTATUS(status), 4);
	return 0;
}
