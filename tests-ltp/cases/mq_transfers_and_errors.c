/* mq_timedsend(2), mq_timedreceive(2): access modes, sizes, O_NONBLOCK, time-outs. */
#include "nos_mq.h"

int main(void)
{
	char buffer[64];
	unsigned priority;
	mqd_t queue = mq_fresh("/transfer", 2, 16, 0);
	struct timespec past = { 1, 0 }, bad = { 1, 1000000000 }, negative = { -1, 0 };
	CHECK_ERRNO(mq_receive(queue, buffer, 15, NULL), EMSGSIZE);
	CHECK_ERRNO(mq_send(queue, buffer, 17, 0), EMSGSIZE);
	CHECK_ERRNO(mq_send(queue, UNMAPPED_ADDRESS, 16, 0), EFAULT);
	CHECK_ERRNO(mq_send(0, buffer, 1, 0), EBADF);
	CHECK_ERRNO(mq_receive(-1, buffer, 16, NULL), EBADF);
	CHECK_ERRNO(read(queue, UNMAPPED_ADDRESS, 1), EFAULT);
	CHECK_ERRNO(write(queue, buffer, 1), EINVAL);
	CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, &past), ETIMEDOUT);
	CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, &bad), EINVAL);
	CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, &negative), EINVAL);
	CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, UNMAPPED_ADDRESS), EFAULT);
	struct timespec soon = mq_time(60);
	int64_t start = test_now();
	CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, &soon), ETIMEDOUT);
	CHECK(test_now() - start >= 40000);
	/* A time that has passed is no matter where nobody waits. */
	OK(mq_timedsend(queue, "one", 3, 0, &past));
	CHECK_ERRNO(mq_timedsend(queue, "x", 1, 0, &bad), EINVAL);
	OK(mq_send(queue, "two", 3, 0));
	CHECK_ERRNO(mq_timedsend(queue, "three", 5, 0, &past), ETIMEDOUT);
	soon = mq_time(60);
	CHECK_ERRNO(mq_timedsend(queue, "three", 5, 0, &soon), ETIMEDOUT);
	CHECK_EQ(mq_count(queue), 2);
	CHECK_EQ(mq_timedreceive(queue, buffer, 16, &priority, &past), 3);
	CHECK(memcmp(buffer, "one", 3) == 0);
	/* A bad place for the message costs it. */
	CHECK_ERRNO(mq_receive(queue, UNMAPPED_ADDRESS, 16, NULL), EFAULT);
	CHECK_EQ(mq_count(queue), 0);

	struct mq_attr nonblock = { .mq_flags = O_NONBLOCK };
	OK(mq_setattr(queue, &nonblock, NULL));
	CHECK_ERRNO(mq_receive(queue, buffer, 16, NULL), EAGAIN);
	OK(mq_put(queue, "a", 0));
	OK(mq_put(queue, "b", 0));
	CHECK_ERRNO(mq_put(queue, "c", 0), EAGAIN);

	OK(close((int)OK(mq_open("/modes", O_CREAT | O_RDWR, 0600, NULL))));
	mqd_t reader = (mqd_t)OK(mq_open("/modes", O_RDONLY)), writer = (mqd_t)OK(mq_open("/modes", O_WRONLY));
	CHECK_ERRNO(mq_put(reader, "x", 0), EBADF);
	CHECK(mq_take(writer, NULL) == NULL && errno == EBADF);
	OK(mq_put(writer, "through", 1));
	CHECK_STR(mq_take(reader, NULL), "through");
	OK(mq_unlink("/modes"));
	return 0;
}
