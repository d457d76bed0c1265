/* Two threads that wake each other with futexes, while SIZE others wait, each on a futex of its own. */
#include "growth.h"
#include <linux/futex.h>
#include <pthread.h>

static unsigned int there, back;

static long futex(unsigned int *word, int operation, unsigned int value)
{
	return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void wait_for(unsigned int *word, unsigned int value)
{
	unsigned int seen;
	while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value)
		futex(word, FUTEX_WAIT_PRIVATE, seen);
}

static void set_and_wake(unsigned int *word, unsigned int value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	futex(word, FUTEX_WAKE_PRIVATE, 1);
}

static void *answer(void *nothing)
{
	for (unsigned int turn = 1;; turn++) {
		wait_for(&there, turn);
		set_and_wake(&back, turn);
	}
	return nothing;
}

static void ping_pong(void)
{
	static unsigned int turn;
	turn++;
	set_and_wake(&there, turn);
	wait_for(&back, turn);
}

/* Makes the crowd `size` waiters strong; 0, or -1 with errno. */
static int grow(unsigned long size, unsigned int *words)
{
	for (; crowd_size < size; crowd_size++) {
		struct crowd_call wait = {
			.number = SYS_futex,
			.first = (long)&words[crowd_size],
			.second = FUTEX_WAIT_PRIVATE,
			.third = 0,
			.count = &crowd_turns,
		};
		if (start_one(CROWD_THREAD, &wait) < 0)
			return -1;
		if (crowd_size % 64 == 0)
			sched_yield();
	}
	sched_yield();
	return 0;
}

int main(int count, char **sizes)
{
	pthread_t other;
	raise_process_limits();
	unsigned int *words = calloc(size_of(sizes[count - 1]), sizeof *words);
	errno = pthread_create(&other, NULL, answer, NULL);
	if (errno)
		fail("pthread_create");
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		if (grow(size, words) != 0) {
			print_missing("wake_futex", size, "clone");
			continue;
		}
		print_cost("wake_futex", size, cost_of(ping_pong, 500));
	}
	return 0;
}
