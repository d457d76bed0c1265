/* Starting and joining a thread in a process of SIZE sleeping threads. */
#include "growth.h"
#include <pthread.h>

static void *end_at_once(void *nothing)
{
	return nothing;
}

static void start_and_join(void)
{
	pthread_t thread;
	errno = pthread_create(&thread, NULL, end_at_once, NULL);
	if (errno || pthread_join(thread, NULL) != 0)
		fail("pthread_create");
}

int main(int count, char **sizes)
{
	raise_process_limits();
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		if (grow_crowd_of_sleepers(CROWD_THREAD, size, NULL) != 0) {
			print_missing("thread_create", size, "clone");
			continue;
		}
		print_cost("thread_create", size, cost_of(start_and_join, 50));
	}
	return 0;
}
