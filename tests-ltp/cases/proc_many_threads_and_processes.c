/* A thousand processes and a thousand threads come and go, and each is waited for. */
#include "nos_test.h"
#include <pthread.h>

static int counter;

static void *thread(void *unused)
{
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
	return unused;
}

int main(void)
{
	static pthread_t threads[250];
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 16384);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 250; i++)
			CHECK_EQ(pthread_create(&threads[i], &attributes, thread, NULL), 0);
		for (int i = 0; i < 250; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
	}
	CHECK_EQ(counter, 1000);
	int sum = 0, status;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 100; i++)
			if (OK(fork()) == 0)
				_exit(i);
		for (int i = 0; i < 100; i++) {
			OK(wait(&status));
			sum += WEXITSTATUS(status);
		}
	}
	CHECK_EQ(sum, 10 * 4950);
	CHECK_ERRNO(wait(NULL), ECHILD);
	return 0;
}
