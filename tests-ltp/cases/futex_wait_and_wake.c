/* futex(2): waits, wakes, bit sets, requeues, wake-ops and their errors. */
#include "nos_test.h"
#include "nos_futex.h"
#include <pthread.h>

static uint32_t word, other;
static volatile int woken;

static long futex(uint32_t *addr, int op, uint32_t val, void *timeout, uint32_t *addr2, uint32_t val3)
{
	return syscall(SYS_futex, addr, op, val, timeout, addr2, val3);
}

static void *sleeper(void *mask)
{
	long result = futex(&word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, (uint32_t)(uintptr_t)mask);
	if (result == 0)
		__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return (void *)result;
}

static void settle(int wanted)
{
	for (int i = 0; i < 1000 && woken < wanted; i++)
		usleep(1000);
	usleep(20000);
	CHECK_EQ(woken, wanted);
}

int main(void)
{
	struct timespec none = { 0, 1000000 }, bad = { 0, 1000000000 };
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &none, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((uint32_t *)16, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex((uint32_t *)KERNEL_ADDRESS, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
	/* Both clocks, with a time that has passed. */
	struct timespec past = { 1, 0 };
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, ~0u), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, ~0u), ETIMEDOUT);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);

	pthread_t threads[4];
	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, sleeper, (void *)((uintptr_t)1 << i)), 0);
	usleep(100000);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 9, NULL, NULL, 0x30), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 9, NULL, NULL, 0x12), 1);
	settle(1);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)9, &other, 5), EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (void *)9, &other, 0), 3);
	settle(2);
	CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, NULL, NULL, 0), 0);
	/* other += 3; it was 0, so waiters there are woken if 0 >= 0. */
	int op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GE, 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, (void *)1, &other, (uint32_t)op), 1);
	CHECK_EQ(other, 3);
	settle(3);
	CHECK_EQ(futex(&other, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, NULL, NULL, 0), 1);
	settle(4);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
