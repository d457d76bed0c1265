/* Locks with priority inheritance: taking, handing on, every error, and what the word says meanwhile. */
#include "nos_lock.h"
#include <sys/wait.h>

static lock_word a, b, c;
static atomic_int tid, second_tid;

static void *take_and_give(void *word)
{
	tid = gettid();
	lock_take(word);
	lock_give(word);
	return NULL;
}

static void hands_on(void)
{
	lock_take(&a);
	tid = 0;
	pthread_t thread = lock_thread(take_and_give, (void *)&a);
	lock_wait_asleep(&tid);
	CHECK_EQ(a, FUTEX_WAITERS | (uint32_t)gettid());
	/* The other calls keep their hands off it. */
	CHECK_ERRNO(lock_call(&a, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(lock_call(&a, FUTEX_REQUEUE, 1, (void *)1, &b, 0), EINVAL);
	CHECK_ERRNO(lock_call(&b, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	lock_give(&a);
	lock_join(thread);
	CHECK_EQ(a, 0);
}

/* The id of some thread that has no program. */
static uint32_t kernel_thread(void)
{
	for (uint32_t pid = 2; pid < 1000; pid++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
		int fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		char byte;
		ssize_t length = read(fd, &byte, 1);
		close(fd);
		if (length == 0)
			return pid;
	}
	FAIL("there are no kernel threads");
}

static void refuses(void)
{
	struct timespec bad = { 0, 1000000000 }, past = { 0, 0 };
	CHECK_ERRNO(lock_call((char *)&a + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(lock_call(UNMAPPED_ADDRESS, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(lock_call(KERNEL_ADDRESS, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(lock_call(&a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
	/* Free: taken by the call. */
	OK(lock_call(&a, FUTEX_LOCK_PI, 0, &past, NULL, 0));
	CHECK_EQ(a, gettid());
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHECK_ERRNO(lock_call(&a, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	OK(lock_call(&a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(a, 0);
	OK(lock_call(&a, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
	OK(lock_call(&a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	/* An owner that never was; a kernel thread. */
	a = 0x3ffffff0;
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
	CHECK_EQ(a, FUTEX_WAITERS | 0x3ffffff0);
	a = kernel_thread();
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EPERM);
	/* Marks of others do not keep from taking a free lock. */
	a = FUTEX_WAITERS;
	OK(lock_call(&a, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(a, gettid());
	a = FUTEX_OWNER_DIED;
	OK(lock_call(&a, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(a, FUTEX_OWNER_DIED | (uint32_t)gettid());
	a = 0;
}

static atomic_int stop;

static void *hold(void *word)
{
	lock_take(word);
	tid = gettid();
	while (!stop)
		usleep(1000);
	lock_give(word);
	return NULL;
}

static void times_out(void)
{
	stop = tid = 0;
	pthread_t thread = lock_thread(hold, (void *)&a);
	while (!tid)
		usleep(1000);
	CHECK_ERRNO(lock_call(&a, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	CHECK_EQ(a, FUTEX_WAITERS | (uint32_t)tid);
	struct timespec at = lock_deadline(CLOCK_REALTIME, 30);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, &at, NULL, 0), ETIMEDOUT);
	at = lock_deadline(CLOCK_MONOTONIC, 30);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI2, 0, &at, NULL, 0), ETIMEDOUT);
	at = lock_deadline(CLOCK_REALTIME, 30);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &at, NULL, 0), ETIMEDOUT);
	stop = 1;
	lock_join(thread);
	CHECK_EQ(a, 0);
}

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

/* A signal is handled, and the wait goes on, whatever SA_RESTART says. */
static void goes_on_after_signals(void)
{
	struct sigaction action = { .sa_handler = handler };
	OK(sigaction(SIGUSR1, &action, NULL));
	lock_take(&a);
	tid = 0;
	pthread_t thread = lock_thread(take_and_give, (void *)&a);
	for (int i = 1; i <= 5; i++) {
		lock_wait_asleep(&tid);
		CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
		while (handled < i)
			usleep(1000);
	}
	lock_wait_asleep(&tid);
	lock_give(&a);
	lock_join(thread);
}

static void *hold_b_want_c(void *unused)
{
	lock_take(&b);
	tid = gettid();
	while (second_tid == 0)
		usleep(1000);
	lock_take(&c);
	lock_give(&c);
	lock_give(&b);
	return unused;
}

static void *hold_c_want_a(void *unused)
{
	lock_take(&c);
	second_tid = gettid();
	lock_take(&a);
	lock_give(&a);
	lock_give(&c);
	return unused;
}

static void finds_circles(void)
{
	lock_take(&a);
	tid = second_tid = 0;
	pthread_t one = lock_thread(hold_b_want_c, NULL), two = lock_thread(hold_c_want_a, NULL);
	lock_wait_asleep(&second_tid);
	while (!(c & FUTEX_WAITERS) || !(a & FUTEX_WAITERS))
		usleep(1000);
	lock_wait_asleep(&tid);
	CHECK_ERRNO(lock_call(&b, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	lock_give(&a);
	lock_join(one);
	lock_join(two);
	CHECK_EQ(a | b | c, 0);
}

/* Whose word is changed behind the kernel's back gets an error. */
static void notices_changed_words(void)
{
	lock_take(&a);
	tid = 0;
	pthread_t thread = lock_thread(take_and_give, (void *)&a);
	lock_wait_asleep(&tid);
	uint32_t right = a;
	a = 1;
	struct timespec at = lock_deadline(CLOCK_REALTIME, 100);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, &at, NULL, 0), EINVAL);
	a = right;
	lock_give(&a);
	lock_join(thread);
}

static void *wait_plainly(void *word)
{
	tid = gettid();
	lock_call(word, FUTEX_WAIT, *(lock_word *)word, NULL, NULL, 0);
	return NULL;
}

/* Who waits as on no lock is in the way. */
static void does_not_mix(void)
{
	stop = tid = 0;
	a = 1;
	pthread_t waiter = lock_thread(wait_plainly, (void *)&a);
	lock_wait_asleep(&tid);
	CHECK_ERRNO(lock_call(&a, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	a = (uint32_t)gettid();
	CHECK_ERRNO(lock_call(&a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_EQ(lock_call(&a, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	lock_join(waiter);
	a = 0;
}

int main(void)
{
	refuses();
	hands_on();
	times_out();
	goes_on_after_signals();
	finds_circles();
	notices_changed_words();
	does_not_mix();
	return 0;
}
