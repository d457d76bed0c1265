/* While small pages are made huge and split again, no write to them is lost: neither of threads, nor of children, nor what another process writes. */
#include "nos_huge.h"
#include <pthread.h>
#include <sys/uio.h>

enum { THREADS = 3, ROUNDS = 25, PAGES = 511, REMOTE = 256, FROM_REMOTE = 2000 };

static char *common;
static volatile int running;

static long *slot(int page, int id)
{
	return (long *)(common + page * 4096L + id * 64);
}

static void *count(void *arg)
{
	int id = (int)(long)arg, first = (int)*slot(0, id);
	for (int round = first; round < first + ROUNDS; round++) {
		for (int page = 0; page < PAGES; page++) {
			CHECK_EQ(*slot(page, id), round);
			++*(volatile long *)slot(page, id);
		}
		usleep(1000);
	}
	__atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Another process, which writes its own numbers. They come from a page that it has yet to fault in, which takes time while it holds the other one. */
static void write_from_elsewhere(pid_t to)
{
	int fd = (int)OK(open("numbers", O_CREAT | O_RDWR, 0600));
	OK(ftruncate(fd, 4096));
	for (long i = 0; i < FROM_REMOTE; i++) {
		CHECK_EQ(pwrite(fd, &i, sizeof i, 0), sizeof i);
		void *from = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
		CHECK(from != MAP_FAILED);
		struct iovec here = { from, sizeof i }, there = { (char *)slot(i % PAGES, 0) + REMOTE, sizeof i };
		CHECK_EQ(process_vm_writev(to, &here, 1, &there, 1, 0), sizeof i);
		OK(munmap(from, 4096));
	}
}

static void in_child(void)
{
	for (int page = 0; page < PAGES; page++)
		*slot(page, THREADS) = 1;
	OK(collapse(common, HUGE_SIZE));
	for (int page = 0; page < PAGES; page++)
		CHECK_EQ(*slot(page, THREADS), 1);
}

/* The threads count, and their pages become huge and small again; with children or without. How often they became huge. */
static int count_and_collapse(int children)
{
	pthread_t threads[THREADS];
	int made = 0;
	running = THREADS;
	for (long i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count, (void *)i), 0);
	for (int i = 0; running > 0; i++) {
		int result = madvise(common, HUGE_SIZE, MADV_COLLAPSE);
		/* Held by the other process, not touched yet, or shared with a child. */
		if (result != 0 && errno != EAGAIN && errno != EINVAL)
			FAIL("madvise: %s", strerror(errno));
		made += result == 0;
		/* The last page is nobody's; without it the others are small again. */
		OK(madvise(common + PAGES * 4096L, 4096, MADV_DONTNEED));
		CHECK_EQ(common[PAGES * 4096L], 0);
		if (children && i % 16 == 0)
			CHILD(in_child());
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return made;
}

int main(void)
{
	char *before = thp_get("enabled");
	thp_set("enabled", "never");
	common = huge_region(1);
	pid_t self = getpid(), writer = (pid_t)OK(fork());
	if (writer == 0) {
		write_from_elsewhere(self);
		_exit(0);
	}
	CHECK(count_and_collapse(0) > 0);
	CHECK_EQ(test_wait(writer), 0);
	CHECK(count_and_collapse(1) > 0);
	/* At least one may be written, whoever was forked last. */
	*slot(0, THREADS + 2) = 1;
	OK(collapse(common, HUGE_SIZE));
	for (int page = 0; page < PAGES; page++) {
		for (int id = 0; id < THREADS; id++)
			CHECK_EQ(*slot(page, id), 2 * ROUNDS);
		CHECK_EQ(*slot(page, THREADS), 0);
		CHECK_EQ(*(long *)((char *)slot(page, 0) + REMOTE), (FROM_REMOTE - 1 - page) / PAGES * PAGES + page);
	}
	thp_set("enabled", before);
	return 0;
}
