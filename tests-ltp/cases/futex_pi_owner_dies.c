/* The locks of a thread that ends go to who waits for them, marked: in its robust list or not. And C's own mutexes. */
#include "nos_lock.h"

#define THREADS 6
#define ROUNDS 300

static lock_word word;
static atomic_int tid, holding, release;
static struct robust {
	struct robust_list_head head;
	struct robust_list entry;
	lock_word word;
} robust;

static void *take_and_end(void *listed)
{
	lock_word *lock = listed ? &robust.word : &word;
	if (listed) {
		robust.head = (struct robust_list_head){
			.list.next = (void *)((uintptr_t)&robust.entry | 1),
			.futex_offset = (char *)&robust.word - (char *)&robust.entry,
		};
		robust.entry.next = &robust.head.list;
		OK(syscall(SYS_set_robust_list, &robust.head, sizeof robust.head));
	}
	lock_take(lock);
	holding = 1;
	while (!release)
		usleep(1000);
	syscall(SYS_exit, 0);
	return NULL;
}

static void *heir(void *lock)
{
	lock_word *its = lock;
	tid = gettid();
	OK(lock_call(its, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(*its, FUTEX_OWNER_DIED | FUTEX_WAITERS | (uint32_t)gettid());
	OK(lock_call(its, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	return NULL;
}

static void one_dies(int listed)
{
	lock_word *lock = listed ? &robust.word : &word;
	holding = release = tid = 0;
	*lock = 0;
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		pthread_t dying = lock_thread(take_and_end, listed ? &robust : NULL);
		while (!holding)
			usleep(1000);
		pthread_t next = lock_thread(heir, (void *)lock);
		lock_wait_asleep(&tid);
		release = 1;
		lock_join(next);
		CHECK_EQ(*lock, 0);
		(void)dying;
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
}

static void nobody_waits(void)
{
	/* The id in the word is nobody's any more. */
	CHILD({
		holding = 0;
		release = 1;
		pthread_t dying = lock_thread(take_and_end, NULL);
		char path[64];
		while (!holding)
			usleep(1000);
		snprintf(path, sizeof path, "/proc/self/task/%d", (int)(word & FUTEX_TID_MASK));
		while (access(path, F_OK) == 0)
			usleep(1000);
		CHECK_ERRNO(lock_call(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
		(void)dying;
		_exit(0);
	});
}

static pthread_mutex_t mutex;
static long counter;

static void *count(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		long seen = counter;
		if (i % 64 == 0)
			sched_yield();
		counter = seen + 1;
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	}
	return unused;
}

static void *leave_locked(void *unused)
{
	int result = pthread_mutex_lock(&mutex);
	CHECK(result == 0 || result == EOWNERDEAD);
	if (result == EOWNERDEAD)
		CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
	return unused;
}

static void mutexes(int robustly)
{
	pthread_mutexattr_t attributes;
	pthread_t threads[THREADS];
	CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
	/* For private ones musl mixes private and shared calls. */
	CHECK_EQ(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
	if (robustly)
		CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
	counter = 0;
	/* While nobody waits: musl's pthread_mutex_consistent takes the mark that somebody does off the lock. */
	for (int i = 0; robustly && i < 3; i++)
		lock_join(lock_thread(leave_locked, NULL));
	if (robustly) {
		CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
		CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	}
	for (int i = 0; i < THREADS; i++)
		threads[i] = lock_thread(count, NULL);
	for (int i = 0; i < THREADS; i++)
		lock_join(threads[i]);
	CHECK_EQ(counter, (long)THREADS * ROUNDS);
}

int main(void)
{
	one_dies(0);
	one_dies(1);
	nobody_waits();
	mutexes(0);
	mutexes(1);
	return 0;
}
