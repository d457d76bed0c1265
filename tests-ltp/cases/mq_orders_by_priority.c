/* Messages come by priority, and in the order of sending within one. */
#include "nos_mq.h"

int main(void)
{
	mqd_t queue = mq_fresh("/priority", 9, 64, 0);
	unsigned priority;
	OK(mq_put(queue, "low", 0));
	OK(mq_put(queue, "mid one", 5));
	OK(mq_put(queue, "top", 32767));
	OK(mq_put(queue, "mid two", 5));
	OK(mq_put(queue, "", 6));
	CHECK_EQ(mq_count(queue), 5);
	CHECK_STR(mq_take(queue, &priority), "top");
	CHECK_EQ(priority, 32767);
	CHECK_STR(mq_take(queue, &priority), "");
	CHECK_STR(mq_take(queue, &priority), "mid one");
	CHECK_EQ(priority, 5);
	OK(mq_put(queue, "mid three", 5));
	CHECK_STR(mq_take(queue, NULL), "mid two");
	CHECK_STR(mq_take(queue, NULL), "mid three");
	CHECK_STR(mq_take(queue, NULL), "low");
	CHECK_EQ(mq_count(queue), 0);
	CHECK_ERRNO(mq_put(queue, "x", 32768), EINVAL);
	return 0;
}
