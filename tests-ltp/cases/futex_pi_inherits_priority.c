/* The owner of a lock runs with the priority of the most urgent who waits for it, over any chain of locks. */
#include "nos_lock.h"

#define HOG_MILLISECONDS 500

static lock_word a, b;
static atomic_int low_tid, middle_tid, high_tid, acquired, holding, release;

static void pin(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	OK(sched_setaffinity(0, sizeof set, &set));
}

static long priority_of(const atomic_int *tid)
{
	long priority = 0;
	CHECK(lock_thread_state(*tid, &priority));
	return priority;
}

/* Holds a until told otherwise; not urgent by itself. */
static void *low(void *unused)
{
	lock_real_time(0);
	low_tid = gettid();
	lock_take(&a);
	holding = 1;
	while (!release)
		usleep(1000);
	lock_give(&a);
	return unused;
}

/* Holds b, wants a. */
static void *middle(void *unused)
{
	lock_real_time(0);
	middle_tid = gettid();
	lock_take(&b);
	lock_take(&a);
	lock_give(&a);
	lock_give(&b);
	return unused;
}

static void *high(void *word)
{
	lock_real_time(20);
	high_tid = gettid();
	lock_take(word);
	acquired = 1;
	lock_give(word);
	return NULL;
}

/* Keeps the only CPU from everybody who is not more urgent; whether the lock changed hands all the same. */
static void *hog(void *result)
{
	lock_real_time(10);
	int64_t end = test_now() + HOG_MILLISECONDS * 1000;
	release = 1;
	while (!acquired && test_now() < end)
		;
	*(int *)result = acquired;
	return NULL;
}

static void run(lock_word *wanted)
{
	int done = -1;
	low_tid = middle_tid = high_tid = acquired = holding = release = 0;
	pthread_t one = lock_thread(low, NULL), between = 0;
	while (!holding)
		usleep(1000);
	if (wanted == &b) {
		between = lock_thread(middle, NULL);
		lock_wait_asleep(&middle_tid);
	}
	CHECK_EQ(priority_of(&low_tid), 20);
	pthread_t other = lock_thread(high, (void *)wanted);
	lock_wait_asleep(&high_tid);
	CHECK_EQ(priority_of(&low_tid), -21);
	if (wanted == &b)
		CHECK_EQ(priority_of(&middle_tid), -21);
	/* Who waits becomes more urgent, and less: so does the owner. */
	struct sched_param parameters = { .sched_priority = 25 };
	OK(syscall(SYS_sched_setscheduler, (pid_t)high_tid, SCHED_FIFO, &parameters));
	CHECK_EQ(priority_of(&low_tid), -26);
	parameters.sched_priority = 20;
	OK(syscall(SYS_sched_setscheduler, (pid_t)high_tid, SCHED_FIFO, &parameters));
	CHECK_EQ(priority_of(&low_tid), -21);
	/* It is not its own priority. */
	CHECK_EQ(syscall(SYS_sched_getscheduler, (pid_t)low_tid), SCHED_OTHER);
	pthread_t hogging = lock_thread(hog, &done);
	lock_join(hogging);
	lock_join(other);
	if (wanted == &b)
		lock_join(between);
	lock_join(one);
	CHECK_EQ(done, 1);
	CHECK_EQ(a | b, 0);
}

/* Who gives up waiting takes the priority along. */
static void *impatient(void *unused)
{
	lock_real_time(20);
	high_tid = gettid();
	struct timespec at = lock_deadline(CLOCK_REALTIME, 100);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, &at, NULL, 0), ETIMEDOUT);
	return unused;
}

int main(void)
{
	struct sched_param parameters = { .sched_priority = 50 };
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters))
		SKIP("no right to real-time priorities");
	pin();
	lock_real_time(0);
	lock_take(&a);
	high_tid = low_tid = 0;
	low_tid = gettid();
	pthread_t thread = lock_thread(impatient, NULL);
	lock_wait_asleep(&high_tid);
	CHECK_EQ(priority_of(&low_tid), -21);
	lock_join(thread);
	CHECK_EQ(priority_of(&low_tid), 20);
	lock_give(&a);

	/* We watch from above. Threads start as urgent as we are, and go to where they belong by themselves. */
	lock_real_time(50);
	run(&a);
	run(&b);
	return 0;
}
