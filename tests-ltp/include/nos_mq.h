/* What cases about POSIX message queues share. */
#ifndef NOS_MQ_H
#define NOS_MQ_H

#include "nos_test.h"
#include <mqueue.h>

/* Opens a new queue of that many messages of at most `size` bytes, under a name that is removed at once. */
static inline mqd_t mq_fresh(const char *name, long messages, long size, int flags)
{
	struct mq_attr attributes = { .mq_maxmsg = messages, .mq_msgsize = size };
	mq_unlink(name);
	mqd_t queue = (mqd_t)OK(mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attributes));
	OK(mq_unlink(name));
	return queue;
}

static inline int mq_put(mqd_t queue, const char *text, unsigned priority)
{
	return mq_send(queue, text, strlen(text), priority);
}

/* Receives into a static buffer, as a string; NULL on an error. */
static inline char *mq_take(mqd_t queue, unsigned *priority)
{
	static char buffer[8193];
	ssize_t got = mq_receive(queue, buffer, sizeof buffer - 1, priority);
	if (got < 0)
		return NULL;
	buffer[got] = '\0';
	return buffer;
}

static inline long mq_count(mqd_t queue)
{
	struct mq_attr attributes;
	OK(mq_getattr(queue, &attributes));
	return attributes.mq_curmsgs;
}

/* The wall-clock time so many milliseconds from now. */
static inline struct timespec mq_time(long milliseconds)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	long long ns = now.tv_nsec + milliseconds % 1000 * 1000000LL;
	return (struct timespec){ now.tv_sec + milliseconds / 1000 + ns / 1000000000, ns % 1000000000 };
}

/* Waits until the process sleeps. */
static inline void mq_await_sleep(pid_t pid)
{
	char path[64], state;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	for (int i = 0; i < 5000; i++) {
		char *text = strrchr(test_read_file(path), ')');
		CHECK(text && sscanf(text, ") %c", &state) == 1);
		if (state == 'S')
			return;
		usleep(1000);
	}
	FAIL("process %d does not sleep", pid);
}

#endif
