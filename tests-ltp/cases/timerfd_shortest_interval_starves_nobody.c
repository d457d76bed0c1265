/*
 * A timer with an interval of a nanosecond, which nobody reads, leaves its maker time to run; the next reader gets about as many
 * expirations as nanoseconds have passed, and timerfd_gettime keeps what it counted.
 */
#include "nos_test.h"
#include <sys/timerfd.h>

int main(void)
{
	int fd = (int)OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	struct itimerspec setting = { .it_value.tv_nsec = 1, .it_interval.tv_nsec = 1 }, left;
	struct timespec before, set, asked, read_at;
	uint64_t count;
	OK(clock_gettime(CLOCK_MONOTONIC, &before));
	OK(timerfd_settime(fd, 0, &setting, NULL));
	OK(clock_gettime(CLOCK_MONOTONIC, &set));
	for (int i = 0; i < 20000; i++)
		syscall(SYS_getppid);
	for (int round = 0; round < 3; round++) {
		OK(timerfd_gettime(fd, &left));
		CHECK_EQ(left.it_interval.tv_nsec, 1);
		CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec <= 1);
	}
	OK(clock_gettime(CLOCK_MONOTONIC, &asked));
	CHECK_EQ(OK(read(fd, &count, sizeof count)), sizeof count);
	OK(clock_gettime(CLOCK_MONOTONIC, &read_at));
	int64_t least = (asked.tv_sec - set.tv_sec) * 1000000000LL + asked.tv_nsec - set.tv_nsec;
	int64_t most = (read_at.tv_sec - before.tv_sec) * 1000000000LL + read_at.tv_nsec - before.tv_nsec;
	printf("%lld of %lld to %lld\n", (long long)count, (long long)least, (long long)most);
	/* What passed since the timer was armed last shows only once it has expired again. */
	CHECK((int64_t)count >= least / 2 && (int64_t)count <= most);
	/* Setting it anew forgets what was counted. */
	setting = (struct itimerspec){ .it_value.tv_sec = 100 };
	OK(timerfd_settime(fd, 0, &setting, NULL));
	CHECK_ERRNO(read(fd, &count, sizeof count), EAGAIN);
	return 0;
}
