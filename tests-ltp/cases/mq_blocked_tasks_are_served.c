/* Blocked receivers and senders are handed messages and room in their turn, the highest scheduling priority first; signals restart. */
#include "nos_mq.h"
#include <sched.h>

static mqd_t queue;

static void do_nothing(int signal)
{
	(void)signal;
}

static pid_t receiver(const char *wanted, int priority)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		struct sched_param param = { priority };
		if (priority)
			OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
		CHECK_STR(mq_take(queue, NULL), wanted);
		_exit(0);
	}
	mq_await_sleep(pid);
	return pid;
}

static pid_t sender(const char *text, unsigned priority)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(mq_put(queue, text, priority));
		_exit(0);
	}
	mq_await_sleep(pid);
	return pid;
}

int main(void)
{
	queue = mq_fresh("/blocked", 1, 64, 0);
	pid_t first = receiver("second", 0), second = receiver("third", 0), urgent = receiver("first", 10);
	OK(mq_put(queue, "first", 0));
	CHECK_EQ(test_wait(urgent), 0);
	OK(mq_put(queue, "second", 0));
	CHECK_EQ(test_wait(first), 0);
	OK(mq_put(queue, "third", 0));
	CHECK_EQ(test_wait(second), 0);
	CHECK_EQ(mq_count(queue), 0);

	OK(mq_put(queue, "there", 0));
	first = sender("a", 1);
	second = sender("b", 9);
	/* Room goes by the order of arrival, whatever the messages' priorities. */
	CHECK_STR(mq_take(queue, NULL), "there");
	CHECK_EQ(test_wait(first), 0);
	CHECK_STR(mq_take(queue, NULL), "a");
	CHECK_EQ(test_wait(second), 0);
	CHECK_STR(mq_take(queue, NULL), "b");

	struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
	OK(sigaction(SIGUSR1, &action, NULL));
	pid_t restarted = receiver("late", 0);
	OK(kill(restarted, SIGUSR1));
	usleep(50000);
	mq_await_sleep(restarted);
	OK(mq_put(queue, "late", 0));
	CHECK_EQ(test_wait(restarted), 0);
	action.sa_flags = 0;
	OK(sigaction(SIGUSR1, &action, NULL));
	pid_t interrupted = (pid_t)OK(fork());
	if (interrupted == 0) {
		CHECK(mq_take(queue, NULL) == NULL && errno == EINTR);
		_exit(0);
	}
	mq_await_sleep(interrupted);
	OK(kill(interrupted, SIGUSR1));
	CHECK_EQ(test_wait(interrupted), 0);
	/* Who has left is not served. */
	OK(mq_put(queue, "kept", 0));
	CHECK_EQ(mq_count(queue), 1);
	return 0;
}
