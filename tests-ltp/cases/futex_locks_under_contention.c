/* Mutexes, condition variables, barriers and joins of many threads: no wake-up is lost, no two hold a lock. */
#include "nos_test.h"
#include <pthread.h>

#define THREADS 8
#define ROUNDS 3000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter, turn;

static void *count(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *take_turns(void *argument)
{
	long me = (long)argument;
	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % THREADS != me)
			pthread_cond_wait(&condition, &mutex);
		turn++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *meet(void *argument)
{
	(void)argument;
	for (int i = 0; i < 100; i++)
		pthread_barrier_wait(&barrier);
	return NULL;
}

static void run(void *(*body)(void *))
{
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, body, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
	run(count);
	CHECK_EQ(counter, (long)THREADS * ROUNDS);
	run(take_turns);
	CHECK_EQ(turn, THREADS * 100);
	pthread_barrier_init(&barrier, NULL, THREADS);
	run(meet);
	return 0;
}
