/* getrusage and wait4: what a child has used is its parent's once it was waited for. */
#include "nos_test.h"
#include <sys/resource.h>
#include <sys/times.h>

static int64_t micros(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(void)
{
	struct rusage usage, children;
	struct tms ticks;
	CHECK_ERRNO(getrusage(7, &usage), EINVAL);
	OK(getrusage(RUSAGE_CHILDREN, &children));
	int64_t before = micros(children.ru_utime) + micros(children.ru_stime);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		struct timespec used_;
		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used_);
		while (used_.tv_nsec < 200000000 && used_.tv_sec == 0);
		_exit(0);
	}
	CHECK_EQ(wait4(child, NULL, 0, &usage), child);
	int64_t used = micros(usage.ru_utime) + micros(usage.ru_stime);
	CHECK(used > 150000 && used < 400000);
	CHECK(usage.ru_minflt > 0);
	OK(getrusage(RUSAGE_CHILDREN, &children));
	/* Each of the four is rounded down to a microsecond. */
	int64_t added = micros(children.ru_utime) + micros(children.ru_stime) - before;
	CHECK(added >= used - 4 && added <= used + 4);
	OK(getrusage(RUSAGE_SELF, &usage));
	CHECK(micros(usage.ru_utime) + micros(usage.ru_stime) < used);
	CHECK(times(&ticks) != -1);
	CHECK(ticks.tms_cutime + ticks.tms_cstime >= 5);
	return 0;
}
