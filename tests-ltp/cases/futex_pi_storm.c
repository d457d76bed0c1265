/* Threads of changing priority take locks in order, try, give up and are interrupted, at random: no two ever hold one, nobody sleeps for ever. */
#include "nos_lock.h"

#define THREADS 8
#define LOCKS 3
#define ROUNDS 400

static lock_word locks[LOCKS];
static atomic_int holder[LOCKS];
static atomic_long taken, given_up, busy;
static volatile sig_atomic_t handled;
static pid_t tids[THREADS];
static atomic_int running;

static void handler(int signal)
{
	(void)signal;
	handled = 1;
}

static unsigned next_random(unsigned *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

static int take(int i, unsigned random)
{
	uint32_t free_ = 0;
	if (random % 4 != 0 && atomic_compare_exchange_strong(&locks[i], &free_, (uint32_t)gettid()))
		return 1;
	struct timespec at = lock_deadline(CLOCK_REALTIME, (long)(random / 8 % 3));
	int operation = random % 8 == 1 ? FUTEX_TRYLOCK_PI : FUTEX_LOCK_PI;
	if (lock_call(&locks[i], operation, 0, random % 2 ? NULL : &at, NULL, 0) == 0)
		return 1;
	int why = errno;
	CHECK_EQ(why, operation == FUTEX_TRYLOCK_PI ? EAGAIN : ETIMEDOUT);
	atomic_fetch_add(operation == FUTEX_TRYLOCK_PI ? &busy : &given_up, 1);
	return 0;
}

/* Takes a lock and, while it has it, the following ones. */
static void take_from(int i, unsigned *state)
{
	if (i >= LOCKS || !take(i, next_random(state)))
		return;
	CHECK_EQ(locks[i] & FUTEX_TID_MASK, gettid());
	CHECK_EQ(atomic_exchange(&holder[i], gettid()), 0);
	atomic_fetch_add(&taken, 1);
	if (next_random(state) % 3)
		take_from(i + 1 + (int)(next_random(state) % 2), state);
	if (next_random(state) % 4 == 0)
		sched_yield();
	CHECK_EQ(atomic_exchange(&holder[i], 0), gettid());
	lock_give(&locks[i]);
}

static void *storm(void *argument)
{
	unsigned state = (unsigned)(long)argument * 77 + 1;
	tids[(long)argument] = gettid();
	for (int i = 0; i < ROUNDS || !handled; i++)
		take_from((int)(next_random(&state) % LOCKS), &state);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	unsigned state = 5;
	struct sigaction action = { .sa_handler = handler };
	struct sched_param parameters = { .sched_priority = 90 };
	OK(sigaction(SIGUSR1, &action, NULL));
	int real_time = syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters) == 0;
	if (real_time)
		lock_real_time(0);
	running = THREADS;
	for (long i = 0; i < THREADS; i++)
		threads[i] = lock_thread(storm, (void *)i);
	while (running) {
		int i = (int)(next_random(&state) % THREADS);
		if (tids[i] && next_random(&state) % 2)
			syscall(SYS_tgkill, getpid(), tids[i], SIGUSR1);
		else if (tids[i] && real_time) {
			parameters.sched_priority = (int)(next_random(&state) % 5);
			syscall(SYS_sched_setscheduler, tids[i],
				parameters.sched_priority ? SCHED_FIFO : SCHED_OTHER, &parameters);
		}
		usleep(500);
	}
	for (int i = 0; i < THREADS; i++)
		lock_join(threads[i]);
	for (int i = 0; i < LOCKS; i++)
		CHECK_EQ(locks[i], 0);
	CHECK(taken > THREADS * ROUNDS / 4);
	return 0;
}
