/* Crowds of threads come and go, and what the kernel used for them is there again: its page tables do not grow with every crowd. */
#include "nos_test.h"
#include <pthread.h>

#define THREADS 2200
#define CROWDS 3
#define SLACK_KIB 80

static void *wait_forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void crowd(void)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	CHECK_EQ(pthread_attr_setstacksize(&attributes, 16384), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;
		int error = pthread_create(&thread, &attributes, wait_forever, NULL);
		if (error != 0)
			SKIP("only %d threads: %s", i, strerror(error));
	}
}

static long page_tables(void)
{
	long kib;
	CHECK_EQ(sscanf(strstr(test_read_file("/proc/meminfo"), "PageTables:"), "PageTables: %ld", &kib), 1);
	return kib;
}

int main(void)
{
	long first = 0, least = 0;
	for (int i = 0; i < CROWDS; i++) {
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			crowd();
			_exit(0);
		}
		int status = test_wait(child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_SKIPPED)
			return TEST_SKIPPED;
		CHECK_EQ(status, 0);
		/* Stacks are given back when there is time. */
		usleep(500000);
		least = page_tables();
		if (i == 0)
			first = least;
	}
	if (least > first + SLACK_KIB)
		FAIL("page tables took %ld KiB after the first crowd, %ld KiB after %d", first, least, CROWDS);
	return 0;
}
