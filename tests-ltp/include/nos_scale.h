/* How much more the threads of a process do on two CPUs than one does on one: what cases about scaling share. */
#ifndef NOS_SCALE_H
#define NOS_SCALE_H

#include "nos_test.h"
#include <pthread.h>
#include <sched.h>

#define ROUND 3000
#define LIMIT 1500000
#define ENOUGH 1.6
/* What shares a lock for most of the call has less than this. */
#define TOO_LITTLE 1.3

/* What one thread uses. */
struct own {
	int ends[2], event, file, word;
	char *memory;
	long page;
} __attribute__((aligned(256)));

/* Something to do, and its name. */
struct kind {
	const char *name;
	void (*call)(struct own *);
};

static struct own owns[2];

static void spin(struct own *own)
{
	for (volatile int i = 0; i < 50; i++)
		(void)own;
}

static void (*volatile call)(struct own *);
/* A round's number and, in the last two bits, how many threads take part; one word, so that who comes late cannot mix two rounds up. */
static int current_round;
static int arrived, ended, over;
static double rates[2];

static void measure(int me)
{
	int64_t begin = test_now(), now;
	long count = 0;
	do {
		for (int i = 0; i < 50; i++)
			call(&owns[me]);
		count += 50;
		now = test_now();
	} while (now - begin < ROUND);
	rates[me] = (double)count / (double)(now - begin);
}

static void *work(void *argument)
{
	int me = (int)(intptr_t)argument, seen = 0;
	cpu_set_t cpu;
	CPU_ZERO(&cpu);
	CPU_SET(me, &cpu);
	OK(sched_setaffinity(0, sizeof cpu, &cpu));
	for (;;) {
		int now = __atomic_load_n(&current_round, __ATOMIC_ACQUIRE), wanted = now & 3;
		if (now == seen) {
			usleep(200);
			continue;
		}
		if (over)
			return NULL;
		seen = now;
		if (me >= wanted) {
			/* A CPU that idles might do something for the other. */
			while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < wanted && __atomic_load_n(&current_round, __ATOMIC_ACQUIRE) == now)
				;
			continue;
		}
		__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < wanted)
			;
		measure(me);
		__atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL);
	}
}

static void begin_round(int threads)
{
	__atomic_store_n(&current_round, (current_round & ~3) + 4 + threads, __ATOMIC_RELEASE);
}

/* Calls a microsecond that so many threads make together. */
static double rate_of(int threads)
{
	arrived = ended = 0;
	begin_round(threads);
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < threads)
		usleep(ROUND);
	return threads == 1 ? rates[0] : rates[0] + rates[1];
}

/* The best of two threads over the best of one, until that is enough or there was time for it. */
static double scale(void (*what)(struct own *))
{
	double one = 0, two = 0;
	int64_t begin = test_now();
	call = what;
	do {
		double rate = rate_of(1);
		one = rate > one ? rate : one;
		rate = rate_of(2);
		two = rate > two ? rate : two;
	} while (two < ENOUGH * one && test_now() - begin < LIMIT);
	return two / one;
}

/* Fails if two threads do too little more of any of it than one does. */
static inline void check_scaling(const struct kind *kinds, int count)
{
	pthread_t threads[2];
	cpu_set_t cpus;
	OK(sched_getaffinity(0, sizeof cpus, &cpus));
	if (!CPU_ISSET(0, &cpus) || !CPU_ISSET(1, &cpus))
		SKIP("there is only one CPU");
	over = current_round = 0;
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i), 0);
	for (int i = 0; i < count; i++) {
		double got = scale(kinds[i].call);
		printf("%s: %.2f\n", kinds[i].name, got);
		if (got >= TOO_LITTLE)
			continue;
		if (scale(spin) < ENOUGH)
			SKIP("there are no two processors for two CPUs here");
		FAIL("two threads do %s only %.2f times as often as one", kinds[i].name, got);
	}
	over = 1;
	begin_round(0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

#endif
