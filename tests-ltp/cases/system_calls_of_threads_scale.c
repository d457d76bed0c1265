/*
 * System calls of two threads of a process that touch nothing in common do not wait for each other: on two CPUs there are nearly twice as
 * many of them. Only what is far from that fails, since others may use the processors below.
 */
#include "nos_test.h"
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#define FUTEX_WAKE_PRIVATE 129
#define ROUND 3000
#define LIMIT 2500000
#define ENOUGH 1.6
/* What shares a lock for most of the call has less than this. */
#define TOO_LITTLE 1.3

struct own {
	int ends[2], event, file, word;
} __attribute__((aligned(256)));

static struct own owns[2];

static void spin(struct own *own)
{
	for (volatile int i = 0; i < 50; i++)
		(void)own;
}

static void ask_parent(struct own *own)
{
	(void)own;
	syscall(SYS_getppid);
}

static void ask_user(struct own *own)
{
	(void)own;
	syscall(SYS_getuid);
}

static void ask_time(struct own *own)
{
	struct timespec now;
	(void)own;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
}

static void wake_nobody(struct own *own)
{
	syscall(SYS_futex, &own->word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static void pass_byte(struct own *own)
{
	char byte = 0;
	if (write(own->ends[1], &byte, 1) != 1 || read(own->ends[0], &byte, 1) != 1)
		FAIL("the pipe lost a byte");
}

static void count_event(struct own *own)
{
	uint64_t value = 1;
	if (write(own->event, &value, sizeof value) != sizeof value || read(own->event, &value, sizeof value) != sizeof value)
		FAIL("the event was lost");
}

static void read_byte(struct own *own)
{
	char byte;
	if (pread(own->file, &byte, 1, 0) != 1)
		FAIL("the file lost a byte");
}

static const struct {
	const char *name;
	void (*call)(struct own *);
} calls[] = {
	{ "nothing", spin },          { "getppid", ask_parent },     { "getuid", ask_user },
	{ "clock_gettime", ask_time }, { "a futex's wake", wake_nobody }, { "a pipe", pass_byte },
	{ "an eventfd", count_event }, { "pread", read_byte },
};

static void (*volatile call)(struct own *);
static int wanted, arrived, ended, round_number, over;
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
		while (__atomic_load_n(&round_number, __ATOMIC_ACQUIRE) == seen)
			usleep(200);
		if (over)
			return NULL;
		seen++;
		if (me >= wanted)
			continue;
		__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < wanted)
			;
		measure(me);
		__atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL);
	}
}

/* Calls a microsecond that so many threads make together. */
static double rate_of(int threads)
{
	wanted = threads;
	arrived = ended = 0;
	__atomic_add_fetch(&round_number, 1, __ATOMIC_ACQ_REL);
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

int main(void)
{
	pthread_t threads[2];
	cpu_set_t cpus;
	OK(sched_getaffinity(0, sizeof cpus, &cpus));
	if (!CPU_ISSET(0, &cpus) || !CPU_ISSET(1, &cpus))
		SKIP("there is only one CPU");
	for (int i = 0; i < 2; i++) {
		char name[16];
		snprintf(name, sizeof name, "own%d", i);
		test_write_file(name, "x");
		owns[i].file = (int)OK(open(name, O_RDONLY));
		owns[i].event = (int)OK(eventfd(0, 0));
		OK(pipe(owns[i].ends));
		CHECK_EQ(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i), 0);
	}
	for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
		double got = scale(calls[i].call);
		printf("%s: %.2f\n", calls[i].name, got);
		if (got >= TOO_LITTLE)
			continue;
		if (calls[i].call == spin || scale(spin) < ENOUGH)
			SKIP("there are no two processors for two CPUs here");
		FAIL("two threads do %s only %.2f times as often as one", calls[i].name, got);
	}
	over = 1;
	__atomic_add_fetch(&round_number, 1, __ATOMIC_ACQ_REL);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return 0;
}
