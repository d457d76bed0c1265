/* Threads that fault huge pages in, cut them up and unmap them in one address space, while children are forked from it and others read it. */
#include "nos_huge.h"
#include <pthread.h>
#include <sys/uio.h>

enum { THREADS = 4, ROUNDS = 30, COMMON = 2 };

static char *common;
static volatile int over;

static void *work(void *arg)
{
	long id = (long)arg;
	for (int round = 0; round < ROUNDS; round++) {
		char *m = huge_region(1);
		/* Both halves at once are somebody's first touch now and then: see `meet`. */
		m[0] = (char)(id + 1);
		m[HUGE_SIZE - 1] = (char)(round + 1);
		switch ((round + id) % 5) {
		case 0:
			OK(munmap(m + 4096 * 7, 4096));
			break;
		case 1:
			OK(mprotect(m + HUGE_SIZE / 2, HUGE_SIZE / 4, PROT_READ));
			break;
		case 2:
			OK(madvise(m + 4096, HUGE_SIZE / 2, MADV_DONTNEED));
			break;
		case 3:
			OK(madvise(m, HUGE_SIZE, MADV_NOHUGEPAGE));
			break;
		}
		CHECK_EQ(m[0], (char)(id + 1));
		CHECK_EQ(m[HUGE_SIZE - 1], (char)(round + 1));
		OK(munmap(m, HUGE_SIZE));
		/* Each has its byte in every common page. */
		for (int i = 0; i < COMMON * 512; i++)
			common[i * 4096L + id]++;
	}
	return NULL;
}

static char *meeting;
static pthread_barrier_t barrier;

/* All touch one huge page for the first time at once. */
static void *meet(void *arg)
{
	long id = (long)arg;
	for (int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		for (int i = 0; i < 16; i++) {
			volatile char *at = meeting + i * (HUGE_SIZE / 16) + id * 64;
			CHECK_EQ(*at, 0);
			*at = (char)(id + 1);
		}
		pthread_barrier_wait(&barrier);
		for (int i = 0; i < 16 * THREADS; i++)
			CHECK_EQ(meeting[i / THREADS * (HUGE_SIZE / 16) + i % THREADS * 64], i % THREADS + 1);
		pthread_barrier_wait(&barrier);
		if (id == 0)
			OK(madvise(meeting, HUGE_SIZE, MADV_DONTNEED));
	}
	return NULL;
}

/* Cuts and gives up pages that others are writing around. */
static void *cut(void *arg)
{
	char *m = arg;
	for (long i = 0; !over; i++) {
		OK(madvise(m + i % 511 * 4096, 4096, MADV_DONTNEED));
		struct iovec here = { &(char[64]){ 0 }, 64 }, there = { common + i % (COMMON * 512) * 4096, 64 };
		CHECK_EQ(process_vm_readv(getpid(), &here, 1, &there, 1, 0), 64);
		if (i % 64 == 0)
			OK(madvise(m, HUGE_SIZE, MADV_DONTNEED));
		m[HUGE_SIZE - 1 - i % 4096] = 1;
	}
	return NULL;
}

int main(void)
{
	common = huge_region(COMMON);
	want_huge(common);
	pthread_t threads[THREADS], cutter;
	CHECK_EQ(pthread_create(&cutter, NULL, cut, huge_region(1)), 0);
	for (long i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < 10; i++)
		CHILD(for (int p = 0; p < COMMON * 512; p++) common[p * 4096L + 100] = 1);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (int p = 0; p < COMMON * 512; p++) {
		for (int id = 0; id < THREADS; id++)
			CHECK_EQ(common[p * 4096L + id], (char)ROUNDS);
		CHECK_EQ(common[p * 4096L + 100], 0);
	}
	meeting = huge_region(1);
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (long i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, meet, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	over = 1;
	CHECK_EQ(pthread_join(cutter, NULL), 0);
	return 0;
}
