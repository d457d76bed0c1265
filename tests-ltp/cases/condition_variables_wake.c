/* Condition variables and timed waits, on futexes. */
#include "nos_test.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

static void *other(void *argument)
{
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != 1)
			pthread_cond_wait(&condition, &mutex);
		turn = 0;
		pthread_cond_signal(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return argument;
}

int main(void)
{
	pthread_t thread;
	struct timespec until;
	CHECK_EQ(pthread_create(&thread, NULL, other, NULL), 0);
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		turn = 1;
		pthread_cond_signal(&condition);
		while (turn != 0)
			pthread_cond_wait(&condition, &mutex);
		pthread_mutex_unlock(&mutex);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 50000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	int64_t start = test_now();
	pthread_mutex_lock(&mutex);
	CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
	CHECK(test_now() - start >= 45000);
	return 0;
}
