/* Locks with priority inheritance as C libraries make them, and threads that use them. */
#ifndef NOS_LOCK_H
#define NOS_LOCK_H

#include "nos_futex.h"
#include "nos_test.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef _Atomic uint32_t lock_word;

static inline long lock_call(void *word, int operation, long value, const void *timeout, void *second, long third)
{
	return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, second, third);
}

static inline void lock_take(lock_word *word)
{
	uint32_t free_ = 0;
	if (!atomic_compare_exchange_strong(word, &free_, (uint32_t)gettid()))
		OK(lock_call(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(*word & FUTEX_TID_MASK, gettid());
}

static inline void lock_give(lock_word *word)
{
	uint32_t mine = (uint32_t)gettid();
	if (!atomic_compare_exchange_strong(word, &mine, 0))
		OK(lock_call(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

/* The state letter and the priority that /proc shows of a thread. */
static inline char lock_thread_state(pid_t tid, long *priority)
{
	char path[64], *text, state;
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY);
	char buffer[1024];
	ssize_t length = fd < 0 ? 0 : read(fd, buffer, sizeof buffer - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return 0;
	buffer[length] = 0;
	text = strrchr(buffer, ')');
	long fields[15] = { 0 };
	CHECK(text && sscanf(text + 2, "%c %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld", &state,
			     &fields[0], &fields[1], &fields[2], &fields[3], &fields[4], &fields[5], &fields[6],
			     &fields[7], &fields[8], &fields[9], &fields[10], &fields[11], &fields[12], &fields[13],
			     &fields[14]) >= 16);
	if (priority)
		*priority = fields[14];
	return state;
}

/* Returns once the thread sleeps. */
static inline void lock_wait_asleep(const atomic_int *tid)
{
	for (int i = 0; i < 5000; i++) {
		if (*tid && lock_thread_state(*tid, NULL) == 'S')
			return;
		usleep(1000);
	}
	FAIL("thread %d does not sleep", (int)*tid);
}

static inline pthread_t lock_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
	return thread;
}

static inline void lock_join(pthread_t thread)
{
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static inline void lock_real_time(int priority)
{
	struct sched_param parameters = { .sched_priority = priority };
	OK(syscall(SYS_sched_setscheduler, 0, priority ? SCHED_FIFO : SCHED_OTHER, &parameters));
}

static inline struct timespec lock_deadline(clockid_t clock, long milliseconds)
{
	struct timespec at;
	clock_gettime(clock, &at);
	at.tv_nsec += milliseconds * 1000000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

#endif
