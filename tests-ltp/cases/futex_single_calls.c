/* futex_wake(2), futex_wait(2), futex_requeue(2): one operation a call (Linux 6.7). */
#include "nos_lock.h"

#define SYS_WAKE 454
#define SYS_WAIT 455
#define SYS_REQUEUE 456
#define SIZE_32 2
#define PRIVATE 128
#define ANY 0xffffffffu

struct entry {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static lock_word a, b;
static atomic_int tid;

static long wake(void *word, unsigned long mask, int count)
{
	return syscall(SYS_WAKE, word, mask, count, SIZE_32 | PRIVATE);
}

static long wait_(void *word, unsigned long value, unsigned long mask, struct timespec *at, clockid_t clock)
{
	return syscall(SYS_WAIT, word, value, mask, SIZE_32 | PRIVATE, at, clock);
}

static void *waiter(void *mask)
{
	tid = gettid();
	OK(wait_(&a, a, (unsigned long)mask, NULL, CLOCK_MONOTONIC));
	return NULL;
}

static pthread_t start(unsigned long mask)
{
	tid = 0;
	pthread_t thread = lock_thread(waiter, (void *)mask);
	lock_wait_asleep(&tid);
	return thread;
}

static void refuses(void)
{
	struct timespec past = { 0, 0 };
	CHECK_ERRNO(syscall(SYS_WAKE, &a, ANY, 1, PRIVATE), EINVAL);
	CHECK_ERRNO(syscall(SYS_WAKE, &a, ANY, 1, SIZE_32 | 64), EINVAL);
	CHECK_ERRNO(wake(&a, 0, 1), EINVAL);
	CHECK_ERRNO(wake(&a, 1ul << 32, 1), EINVAL);
	CHECK_ERRNO(wait_(&a, 1ul << 32, ANY, NULL, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERRNO(wait_(&a, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERRNO(wait_(&a, 0, ANY, &past, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERRNO(wait_(&a, 0, ANY, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERRNO(wait_(&a, 0, ANY, &past, CLOCK_REALTIME), ETIMEDOUT);
	CHECK_ERRNO(wait_(&a, 1, ANY, &past, CLOCK_MONOTONIC), EAGAIN);
	CHECK_ERRNO(wait_((char *)&a + 1, 0, ANY, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_EQ(wake(&a, ANY, 1), 0);
}

int main(void)
{
	if (syscall(SYS_WAKE, &a, ANY, 1, SIZE_32) < 0 && errno == ENOSYS)
		SKIP("these calls came with Linux 6.7");
	refuses();
	pthread_t one = start(1), two = start(2);
	CHECK_EQ(wake(&a, ANY, 0), 0);
	CHECK_EQ(wake(&a, 4, 10), 0);
	CHECK_EQ(wake(&a, 2, 10), 1);
	lock_join(two);
	CHECK_EQ(wake(&a, ANY, 10), 1);
	lock_join(one);

	one = start(ANY);
	two = start(ANY);
	struct entry words[2] = {
		{ 0, (uintptr_t)&a, SIZE_32 | PRIVATE, 0 },
		{ 0, (uintptr_t)&b, SIZE_32 | PRIVATE, 0 },
	};
	CHECK_ERRNO(syscall(SYS_REQUEUE, words, 1, 1, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_REQUEUE, NULL, 0, 1, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_REQUEUE, words, 0, -1, 1), EINVAL);
	words[0].value = 1;
	CHECK_ERRNO(syscall(SYS_REQUEUE, words, 0, 1, 1), EAGAIN);
	words[0].value = 0;
	CHECK_EQ(syscall(SYS_REQUEUE, words, 0, 1, 1), 2);
	CHECK_EQ(wake(&a, ANY, 10), 0);
	CHECK_EQ(wake(&b, ANY, 10), 1);
	lock_join(one);
	lock_join(two);
	return 0;
}
