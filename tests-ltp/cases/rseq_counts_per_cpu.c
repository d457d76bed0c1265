/* Counters a CPU that threads add to in restartable sequences, without atomic operations: none is lost. */
#include "nos_rseq.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>

#define THREADS 8
#define ROUNDS 100000
#define STRIDE 16

static long counters[64 * STRIDE];
static atomic_long aborted;

static void handler(int signal)
{
	(void)signal;
}

static void *count(void *argument)
{
	struct rseq_area area = { 0 };
	uint32_t most = 0;
	(void)argument;
	rseq_register(&area);
	for (int i = 0; i < ROUNDS; i++) {
		while (!rseq_count(&area, counters, STRIDE))
			atomic_fetch_add(&aborted, 1);
		if (area.mm_cid > most)
			most = area.mm_cid;
		if (i % 1000 == 0)
			sched_yield();
	}
	/* No more ids than CPUs. */
	int cpus[64];
	CHECK(most < (uint32_t)rseq_cpus(cpus, 64));
	OK(rseq_call(&area, sizeof area, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE));
	return NULL;
}

static void *id_of_a_thread(void *argument)
{
	struct rseq_area area = { .mm_cid = 77 };
	rseq_register(&area);
	*(uint32_t *)argument = area.mm_cid;
	OK(rseq_call(&area, sizeof area, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE));
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t threads[THREADS];
	OK(sigaction(SIGALRM, &action, NULL));
	OK(setitimer(ITIMER_REAL, &often, NULL));
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	OK(setitimer(ITIMER_REAL, &never, NULL));
	long sum = 0;
	for (int i = 0; i < 64; i++)
		sum += counters[i * STRIDE];
	CHECK_EQ(sum, (long)THREADS * ROUNDS);
	CHECK(aborted > 0);

	/* Linux has had these since 6.3. */
	if (getauxval(AT_RSEQ_FEATURE_SIZE) != 0) {
		uint32_t id = 78;
		CHECK(getauxval(AT_RSEQ_FEATURE_SIZE) >= 28);
		CHECK_EQ(getauxval(AT_RSEQ_ALIGN), 32);
		CHECK_EQ(pthread_create(&threads[0], NULL, id_of_a_thread, &id), 0);
		CHECK_EQ(pthread_join(threads[0], NULL), 0);
		/* One of two threads. */
		CHECK(id <= 1);
	}
	return 0;
}
