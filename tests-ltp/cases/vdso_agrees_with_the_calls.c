/* The functions of the vDSO do what the system calls of their names do: every clock, on every CPU, without going back. */
#include "nos_vdso.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/time.h>

#define THREADS 4
#define ROUNDS 20000

typedef int time_of_day(struct timeval *, struct timezone *);
typedef time_t seconds(time_t *);
typedef long cpu_number(unsigned *, unsigned *, void *);

static vdso_clock *gettime, *getres;
static _Atomic long long latest;

/* The C library's struct and functions may go through the vDSO themselves: these do not. */
static long long call(clockid_t clock)
{
	struct timespec time;
	OK(syscall(SYS_clock_gettime, clock, &time));
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long fast(clockid_t clock)
{
	struct timespec time;
	CHECK_EQ(gettime(clock, &time), 0);
	CHECK(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void sandwich(clockid_t clock)
{
	long long before = call(clock), between = fast(clock), after = call(clock);
	if (before > between || between > after)
		FAIL("clock %d: %lld, then %lld by the vDSO, then %lld", clock, before, between, after);
}

static void *mix(void *argument)
{
	(void)argument;
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_TAI, CLOCK_BOOTTIME,
					    CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE };
	for (int i = 0; i < ROUNDS; i++) {
		sandwich(clocks[i % 7]);
		/* What another thread has seen is past, whichever way it looked. */
		long long seen = atomic_load(&latest);
		long long now = i & 1 ? fast(CLOCK_MONOTONIC) : call(CLOCK_MONOTONIC);
		if (now < seen)
			FAIL("time went back by %lld ns between threads", seen - now);
		while (seen < now && !atomic_compare_exchange_weak(&latest, &seen, now))
			;
	}
	return NULL;
}

static void every_clock_number(void)
{
	for (clockid_t clock = -9; clock <= 20; clock++) {
		struct timespec ours = { -1, -1 }, theirs = { -1, -1 };
		int expected = syscall(SYS_clock_gettime, clock, &theirs) ? -errno : 0;
		CHECK_EQ(gettime(clock, &ours), expected);
		CHECK_EQ(ours.tv_sec == -1, theirs.tv_sec == -1);
		expected = syscall(SYS_clock_getres, clock, &theirs) ? -errno : 0;
		CHECK_EQ(getres(clock, &ours), expected);
		if (expected == 0) {
			CHECK_EQ(ours.tv_sec, theirs.tv_sec);
			CHECK_EQ(ours.tv_nsec, theirs.tv_nsec);
			CHECK_EQ(getres(clock, NULL), 0);
			if (syscall(SYS_clock_gettime, clock, &theirs) == 0)
				sandwich(clock);
		}
	}
}

static void times_of_day(time_of_day *day, seconds *time_)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct timeval before, between, after;
		struct timezone zone = { -1, -1 }, expected = { -2, -2 };
		OK(syscall(SYS_gettimeofday, &before, &expected));
		CHECK_EQ(day(&between, &zone), 0);
		OK(syscall(SYS_gettimeofday, &after, NULL));
		CHECK(!timercmp(&between, &before, <) && !timercmp(&after, &between, <));
		CHECK_EQ(zone.tz_minuteswest, expected.tz_minuteswest);
		CHECK_EQ(zone.tz_dsttime, expected.tz_dsttime);
		time_t told, first = syscall(SYS_time, NULL), second = time_(&told);
		CHECK_EQ(told, second);
		CHECK(first <= second && second <= syscall(SYS_time, NULL));
	}
	CHECK_EQ(day(NULL, NULL), 0);
	CHECK(time_(NULL) > 0);
}

static void number_of_every_cpu(cpu_number *getcpu_)
{
	cpu_set_t all, one;
	OK(sched_getaffinity(0, sizeof all, &all));
	int count = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		OK(sched_setaffinity(0, sizeof one, &one));
		unsigned number = ~0u, node = ~0u, expected_node = ~0u;
		CHECK_EQ(getcpu_(&number, &node, NULL), 0);
		CHECK_EQ(number, (unsigned)cpu);
		OK(syscall(SYS_getcpu, NULL, &expected_node, NULL));
		CHECK_EQ(node, expected_node);
		CHECK_EQ(getcpu_(NULL, NULL, NULL), 0);
		count++;
	}
	CHECK(count > 0);
	OK(sched_setaffinity(0, sizeof all, &all));
}

int main(void)
{
	struct vdso vdso = vdso_here();
	static const char *const names[] = { "clock_gettime", "clock_getres", "gettimeofday", "time", "getcpu" };
	for (int i = 0; i < 5; i++) {
		char longer[64];
		snprintf(longer, sizeof longer, "__vdso_%s", names[i]);
		CHECK(vdso_function(&vdso, names[i]) == vdso_function(&vdso, longer));
	}
	gettime = (vdso_clock *)vdso_function(&vdso, "__vdso_clock_gettime");
	getres = (vdso_clock *)vdso_function(&vdso, "__vdso_clock_getres");
	every_clock_number();
	times_of_day((time_of_day *)vdso_function(&vdso, "__vdso_gettimeofday"),
		     (seconds *)vdso_function(&vdso, "__vdso_time"));
	number_of_every_cpu((cpu_number *)vdso_function(&vdso, "__vdso_getcpu"));
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, mix, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return 0;
}
