/* FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI: a condition's waiters go to its mutex without waking up. */
#include "nos_lock.h"

#define WAITERS 4

static lock_word condition, mutex, other;
static atomic_int tids[WAITERS], got, error_;
static struct timespec *deadline;

static void *waiter(void *argument)
{
	tids[(long)argument] = gettid();
	long result = lock_call(&condition, FUTEX_WAIT_REQUEUE_PI, condition, deadline, &mutex, 0);
	if (result) {
		error_ = errno;
		return NULL;
	}
	CHECK_EQ(mutex & FUTEX_TID_MASK, gettid());
	got++;
	lock_give(&mutex);
	return NULL;
}

static void start(pthread_t threads[], int count)
{
	got = error_ = 0;
	for (long i = 0; i < count; i++) {
		tids[i] = 0;
		threads[i] = lock_thread(waiter, (void *)i);
		lock_wait_asleep(&tids[i]);
	}
}

static long requeue(long wake, long move)
{
	return lock_call(&condition, FUTEX_CMP_REQUEUE_PI, wake, (void *)move, &mutex, condition);
}

static void broadcasts(int with_mutex_held)
{
	pthread_t threads[WAITERS];
	start(threads, WAITERS);
	CHECK_ERRNO(lock_call(&condition, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(lock_call(&condition, FUTEX_REQUEUE, 0, (void *)1, &other, 0), EINVAL);
	CHECK_ERRNO(requeue(0, 1), EINVAL);
	CHECK_ERRNO(requeue(2, 1), EINVAL);
	CHECK_ERRNO(requeue(1, -1), EINVAL);
	CHECK_ERRNO(lock_call(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &condition, condition), EINVAL);
	CHECK_ERRNO(lock_call(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &other, condition), EINVAL);
	CHECK_ERRNO(lock_call(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &mutex, condition + 1), EAGAIN);
	CHECK_EQ(got, 0);
	other = 0;
	if (with_mutex_held)
		lock_take(&mutex);
	condition++;
	CHECK_EQ(requeue(1, 1), 2);
	CHECK_EQ(requeue(1, 1000), WAITERS - 2);
	CHECK_EQ(requeue(1, 1000), 0);
	if (with_mutex_held) {
		usleep(20000);
		CHECK_EQ(got, 0);
		CHECK_EQ(mutex, FUTEX_WAITERS | (uint32_t)gettid());
		lock_give(&mutex);
	}
	for (int i = 0; i < WAITERS; i++)
		lock_join(threads[i]);
	CHECK_EQ(got, WAITERS);
	CHECK_EQ(error_, 0);
	CHECK_EQ(mutex, 0);
}

static void signals_one(void)
{
	pthread_t thread;
	start(&thread, 1);
	condition++;
	CHECK_EQ(requeue(1, 0), 1);
	lock_join(thread);
	CHECK_EQ(got, 1);
	CHECK_EQ(mutex, 0);
}

static void times_out(void)
{
	pthread_t thread;
	struct timespec at = lock_deadline(CLOCK_MONOTONIC, 100);
	deadline = &at;
	/* On the condition, */
	start(&thread, 1);
	lock_join(thread);
	CHECK_EQ(error_, ETIMEDOUT);
	/* and on the mutex. */
	lock_take(&mutex);
	at = lock_deadline(CLOCK_MONOTONIC, 300);
	start(&thread, 1);
	condition++;
	CHECK_EQ(requeue(1, 0), 1);
	lock_join(thread);
	CHECK_EQ(error_, ETIMEDOUT);
	lock_give(&mutex);
	deadline = NULL;
}

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	(void)signal;
	handled = 1;
}

static void interrupt(pthread_t thread)
{
	handled = 0;
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	while (!handled)
		usleep(1000);
}

static void is_interrupted(void)
{
	pthread_t thread;
	struct sigaction action = { .sa_handler = handler };
	OK(sigaction(SIGUSR1, &action, NULL));
	/* On the condition the wait goes on; */
	start(&thread, 1);
	interrupt(thread);
	lock_wait_asleep(&tids[0]);
	CHECK_EQ(requeue(1, 0), 1);
	lock_join(thread);
	CHECK_EQ(got, 1);
	/* on the mutex it ends. */
	lock_take(&mutex);
	start(&thread, 1);
	condition++;
	CHECK_EQ(requeue(1, 0), 1);
	interrupt(thread);
	lock_join(thread);
	CHECK_EQ(error_, EAGAIN);
	lock_give(&mutex);
}

int main(void)
{
	CHECK_ERRNO(lock_call(&condition, FUTEX_WAIT_REQUEUE_PI, 7, NULL, &mutex, 0), EAGAIN);
	CHECK_ERRNO(lock_call(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &condition, 0), EINVAL);
	CHECK_EQ(requeue(1, 1), 0);
	signals_one();
	broadcasts(0);
	broadcasts(1);
	times_out();
	is_interrupted();
	return 0;
}
