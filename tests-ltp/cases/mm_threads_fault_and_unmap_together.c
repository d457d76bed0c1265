/* Threads that fault, map, unmap and protect in one address space while children are forked from it. */
#include "nos_test.h"
#include <pthread.h>
#include <sys/wait.h>

enum { THREADS = 4, ROUNDS = 150, PAGES = 32 };

static char *common;

static void *work(void *arg)
{
	long id = (long)arg;
	for (int round = 0; round < ROUNDS; round++) {
		char *m = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(m != MAP_FAILED);
		for (int i = 0; i < PAGES; i++)
			m[i * 4096] = (char)(id + i);
		CHECK_EQ(mprotect(m, PAGES / 2 * 4096, PROT_READ), 0);
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(m[i * 4096], (char)(id + i));
		CHECK_EQ(munmap(m, PAGES * 4096), 0);
		/* Each has its byte in every common page. */
		for (int i = 0; i < PAGES; i++)
			common[i * 4096 + id]++;
	}
	return NULL;
}

int main(void)
{
	common = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(common != MAP_FAILED);
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < 20; i++) {
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			for (int p = 0; p < PAGES; p++)
				common[p * 4096 + 100] = 1;
			_exit(0);
		}
		int status;
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (int p = 0; p < PAGES; p++) {
		for (int id = 0; id < THREADS; id++)
			CHECK_EQ(common[p * 4096 + id], (char)ROUNDS);
		CHECK_EQ(common[p * 4096 + 100], 0);
	}
	return 0;
}
