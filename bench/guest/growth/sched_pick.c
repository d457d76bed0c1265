/*
 * sched_yield(2) with SIZE runnable threads that do nothing else: what one such call costs, the pick of the next and the switch to
 * it included. The watcher has a real-time priority, sleeps, and looks at how far they all came meanwhile.
 */
#include "growth.h"

#define WATCH_NS 20000000
/* Until everyone has had a turn, as far as can be told from outside, or this many looks. */
#define WARM_UP_LOOKS 200

static void look_away(void)
{
	struct timespec time = { .tv_nsec = WATCH_NS };
	nanosleep(&time, NULL);
}

static double cost_of_yield(void)
{
	double rounds[ROUNDS];
	unsigned long goal = crowd_turns + 2 * crowd_size;
	for (int look = 0; look < WARM_UP_LOOKS && __atomic_load_n(&crowd_turns, __ATOMIC_RELAXED) < goal; look++)
		look_away();
	for (int round = 0; round < ROUNDS; round++) {
		unsigned long turns = __atomic_load_n(&crowd_turns, __ATOMIC_RELAXED);
		uint64_t start = now();
		look_away();
		uint64_t end = now();
		turns = __atomic_load_n(&crowd_turns, __ATOMIC_RELAXED) - turns;
		if (!turns) {
			errno = EAGAIN;
			fail("no thread ran");
		}
		rounds[round] = (double)(end - start) / (double)turns;
	}
	return median(rounds, ROUNDS);
}

int main(int count, char **sizes)
{
	struct crowd_call yield = { .number = SYS_sched_yield, .count = &crowd_turns };
	struct sched_param priority = { .sched_priority = 1 };
	raise_process_limits();
	/* musl's sched_setscheduler() only answers ENOSYS. */
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) != 0)
		fail("sched_setscheduler");
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		int failed = 0;
		while (!failed && crowd_size < size)
			if (start_one(CROWD_THREAD, &yield) < 0)
				failed = 1;
			else
				crowd_size++;
		if (failed)
			print_missing("sched_yield", size, "clone");
		else
			print_cost("sched_yield", size, cost_of_yield());
	}
	return 0;
}
