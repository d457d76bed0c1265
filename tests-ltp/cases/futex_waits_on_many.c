/* futex_waitv(2): sleeps on many words, and says which was woken. And who is urgent is woken first. */
#include "nos_lock.h"

#define SYS_WAITV 449
#define SIZE_32 2
#define PRIVATE 128
#define COUNT 128

struct entry {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static lock_word words[COUNT + 1];
static struct entry entries[COUNT + 1];
static atomic_int tid, order[3], next;

static long waitv(void *list, unsigned count, unsigned flags, struct timespec *timeout, clockid_t clock)
{
	return syscall(SYS_WAITV, list, count, flags, timeout, clock);
}

static void fill(void)
{
	for (int i = 0; i <= COUNT; i++)
		entries[i] = (struct entry){ words[i], (uintptr_t)&words[i], SIZE_32 | PRIVATE, 0 };
}

static void refuses(void)
{
	struct timespec bad = { 0, -1 }, past = { 0, 0 };
	fill();
	CHECK_ERRNO(waitv(entries, 0, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(waitv(entries, COUNT + 1, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(waitv(NULL, 1, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(waitv(entries, 1, 1, NULL, 0), EINVAL);
	CHECK_ERRNO(waitv(UNMAPPED_ADDRESS, 1, 0, NULL, 0), EFAULT);
	CHECK_ERRNO(waitv(entries, 1, 0, &bad, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERRNO(waitv(entries, 1, 0, &past, CLOCK_TAI), EINVAL);
	CHECK_ERRNO(waitv(entries, COUNT, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERRNO(waitv(entries, COUNT, 0, &past, CLOCK_REALTIME), ETIMEDOUT);
	entries[3].flags = PRIVATE;
	CHECK_ERRNO(waitv(entries, 4, 0, &past, CLOCK_MONOTONIC), EINVAL);
	entries[3].flags = SIZE_32 | 64;
	CHECK_ERRNO(waitv(entries, 4, 0, &past, CLOCK_MONOTONIC), EINVAL);
	fill();
	entries[3].reserved = 1;
	CHECK_ERRNO(waitv(entries, 4, 0, &past, CLOCK_MONOTONIC), EINVAL);
	fill();
	entries[3].address++;
	CHECK_ERRNO(waitv(entries, 4, 0, &past, CLOCK_MONOTONIC), EINVAL);
	entries[3].address = (uintptr_t)UNMAPPED_ADDRESS;
	CHECK_ERRNO(waitv(entries, 4, 0, &past, CLOCK_MONOTONIC), EFAULT);
	fill();
	entries[3].value++;
	CHECK_ERRNO(waitv(entries, 4, 0, &past, CLOCK_MONOTONIC), EAGAIN);
	fill();
}

static void *wait_on_all(void *argument)
{
	long *result = argument;
	tid = gettid();
	*result = waitv(entries, COUNT, 0, NULL, CLOCK_MONOTONIC);
	return NULL;
}

static void tells_which(void)
{
	for (int i = 0; i < COUNT; i += 21) {
		long result = -1;
		tid = 0;
		pthread_t thread = lock_thread(wait_on_all, &result);
		lock_wait_asleep(&tid);
		CHECK_EQ(lock_call(&words[COUNT], FUTEX_WAKE, 1, NULL, NULL, 0), 0);
		/* It may look asleep while it queues itself. */
		while (OK(lock_call(&words[i], FUTEX_WAKE, 1, NULL, NULL, 0)) == 0)
			usleep(1000);
		lock_join(thread);
		CHECK_EQ(result, i);
		/* Nothing is left behind. */
		for (int j = 0; j < COUNT; j++)
			CHECK_EQ(lock_call(&words[j], FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	}
}

/* A page that has to be brought in first. */
static void brings_pages_in(void)
{
	char *pages = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec past = { 0, 0 };
	CHECK(pages != MAP_FAILED);
	for (int i = 0; i < 8; i++)
		entries[i] = (struct entry){ 0, (uintptr_t)pages + (size_t)i * 4096, SIZE_32, 0 };
	CHECK_ERRNO(waitv(entries, 8, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	fill();
}

static void *urgent(void *priority)
{
	lock_real_time((int)(long)priority);
	tid = gettid();
	OK(lock_call(&words[0], FUTEX_WAIT, words[0], NULL, NULL, 0));
	order[next++] = (int)(long)priority;
	return NULL;
}

static void urgent_first(void)
{
	pthread_t threads[3];
	static const long priorities[] = { 5, 0, 30 };
	struct sched_param parameters = { .sched_priority = 1 };
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters))
		SKIP("no right to real-time priorities");
	lock_real_time(0);
	for (int i = 0; i < 3; i++) {
		tid = 0;
		threads[i] = lock_thread(urgent, (void *)priorities[i]);
		lock_wait_asleep(&tid);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(lock_call(&words[0], FUTEX_WAKE, 1, NULL, NULL, 0), 1);
		while (next <= i)
			usleep(1000);
	}
	for (int i = 0; i < 3; i++)
		lock_join(threads[i]);
	CHECK_EQ(order[0], 30);
	CHECK_EQ(order[1], 5);
	CHECK_EQ(order[2], 0);
}

int main(void)
{
	for (int i = 0; i <= COUNT; i++)
		words[i] = (uint32_t)i * 3;
	refuses();
	tells_which();
	brings_pages_in();
	urgent_first();
	return 0;
}
