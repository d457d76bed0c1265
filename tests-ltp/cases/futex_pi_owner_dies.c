/* The locks of a thread that ends go to who waits for them, marked: in its robust list or not. And C's own mutexes. */
#include "nos_lock.h"

#define THREADS 6
#define ROUNDS 100
#define ENDS 5

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

static struct shared {
	lock_word word;
	long counter, died;
} *shared;

/* Takes the shared lock as glibc does, listed; who gets it from one that died puts things in order. */
static void take_listed(struct robust *own)
{
	uint32_t free_ = 0;
	own->head.list_op_pending = (void *)((uintptr_t)&own->entry | 1);
	if (!atomic_compare_exchange_strong(&shared->word, &free_, (uint32_t)gettid()))
		OK(syscall(SYS_futex, &shared->word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(shared->word & FUTEX_TID_MASK, gettid());
	own->head.list.next = (void *)((uintptr_t)&own->entry | 1);
	own->entry.next = &own->head.list;
	own->head.list_op_pending = NULL;
	if (atomic_fetch_and(&shared->word, ~FUTEX_OWNER_DIED) & FUTEX_OWNER_DIED)
		shared->died++;
}

static void give_listed(struct robust *own)
{
	uint32_t mine = (uint32_t)gettid();
	own->head.list_op_pending = (void *)((uintptr_t)&own->entry | 1);
	own->head.list.next = &own->head.list;
	if (!atomic_compare_exchange_strong(&shared->word, &mine, 0))
		OK(syscall(SYS_futex, &shared->word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	own->head.list_op_pending = NULL;
}

static void list(struct robust *own)
{
	own->head.list.next = &own->head.list;
	own->head.futex_offset = (char *)&shared->word - (char *)&own->entry;
	OK(syscall(SYS_set_robust_list, &own->head, sizeof own->head));
}

static void *count(void *unused)
{
	struct robust own = { 0 };
	list(&own);
	for (int i = 0; i < ROUNDS; i++) {
		take_listed(&own);
		long seen = shared->counter;
		if (i % 64 == 0)
			sched_yield();
		shared->counter = seen + 1;
		give_listed(&own);
	}
	OK(syscall(SYS_set_robust_list, NULL, sizeof own.head));
	return unused;
}

/* Threads count while processes end with the lock. */
static void many_die(void)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		threads[i] = lock_thread(count, NULL);
	for (int i = 0; i < ENDS; i++)
		CHILD({
			list(&robust);
			take_listed(&robust);
		});
	for (int i = 0; i < THREADS; i++)
		lock_join(threads[i]);
	CHECK_EQ(shared->counter, (long)THREADS * ROUNDS);
	/* The last one may have left it to nobody. */
	CHECK(shared->died == ENDS || (shared->died == ENDS - 1 && shared->word & FUTEX_OWNER_DIED));
}

static pthread_mutex_t mutex;
static long counter;

static void *count_by_mutex(void *unused)
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
		threads[i] = lock_thread(count_by_mutex, NULL);
	for (int i = 0; i < THREADS; i++)
		lock_join(threads[i]);
	CHECK_EQ(counter, (long)THREADS * ROUNDS);
}

int main(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	one_dies(0);
	one_dies(1);
	nobody_waits();
	mutexes(0);
	mutexes(1);
	many_die();
	return 0;
}
