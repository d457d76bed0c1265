/* Who waits on a message queue until a time on the wall clock waits no longer when the clock is set beyond it. */
#include "nos_mq.h"

static void shift_clock(long seconds)
{
	struct timespec now;
	OK(clock_gettime(CLOCK_REALTIME, &now));
	now.tv_sec += seconds;
	OK(clock_settime(CLOCK_REALTIME, &now));
}

int main(void)
{
	mqd_t empty = mq_fresh("/empty", 1, 16, 0), full = mq_fresh("/full", 1, 16, 0);
	OK(mq_put(full, "x", 0));
	struct timespec later = mq_time(3600 * 1000L);
	char buffer[16];
	pid_t receiver = (pid_t)OK(fork());
	if (receiver == 0) {
		CHECK_ERRNO(mq_timedreceive(empty, buffer, 16, NULL, &later), ETIMEDOUT);
		_exit(0);
	}
	pid_t sender = (pid_t)OK(fork());
	if (sender == 0) {
		CHECK_ERRNO(mq_timedsend(full, "y", 1, 0, &later), ETIMEDOUT);
		_exit(0);
	}
	mq_await_sleep(receiver);
	mq_await_sleep(sender);
	shift_clock(600);
	usleep(50000);
	int status;
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	shift_clock(3600);
	int first = test_wait(receiver), second = test_wait(sender);
	shift_clock(-4200);
	CHECK_EQ(first, 0);
	CHECK_EQ(second, 0);
	CHECK_EQ(mq_count(full), 1);
	return 0;
}
