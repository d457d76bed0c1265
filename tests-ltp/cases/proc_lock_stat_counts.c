/* /proc/lock_stat: locks by class, counted while kernel.lock_stat is on, cleared by writing 0; its times make sense. */
#include "nos_test.h"
#include <pthread.h>

/* How many locks a task holds at once. */
#define NESTING 8
#define SWITCH "/proc/sys/kernel/lock_stat"

struct sums {
	unsigned long long contentions, acquisitions;
	double waited, held;
	int lines;
};

/* Sums over all classes, each line checked. */
static struct sums read_sums(void)
{
	struct sums sums = { 0 };
	char *text = test_read_file("/proc/lock_stat"), *line = text;
	CHECK(strncmp(text, "lock_stat version 0.4\n", 22) == 0);
	CHECK(strstr(text, "class name    con-bounces    contentions   waittime-min   waittime-max waittime-total   waittime-avg"
		"    acq-bounces   acquisitions   holdtime-min   holdtime-max holdtime-total   holdtime-avg\n"));
	for (; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned long long con_bounces, contentions, acq_bounces, acquisitions;
		double wait[4], hold[4];
		char *figures = strstr(line, ":  ");
		char *end = strchr(line, '\n');
		if (!figures || !end || figures > end)
			continue;
		if (sscanf(figures + 1, "%llu %llu %lf %lf %lf %lf %llu %llu %lf %lf %lf %lf\n", &con_bounces, &contentions, &wait[0],
			&wait[1], &wait[2], &wait[3], &acq_bounces, &acquisitions, &hold[0], &hold[1], &hold[2], &hold[3]) != 12)
			continue;
		if (con_bounces > contentions || acq_bounces > acquisitions || wait[0] > wait[1] || wait[1] > wait[2] + 0.02 ||
			wait[3] > wait[1] + 0.02 || hold[0] > hold[1] || hold[1] > hold[2] + 0.02 || hold[3] > hold[1] + 0.02)
			FAIL("these figures do not agree: %.*s", (int)(end - line), line);
		sums.contentions += contentions;
		sums.acquisitions += acquisitions;
		sums.waited += wait[2];
		sums.held += hold[2];
		sums.lines++;
	}
	return sums;
}

/* Tasks that use the same things: a pipe, an address space, a table of descriptors. */
static int ends[2];

static void *use(void *rounds)
{
	char byte = 0;
	for (long i = 0; i < (long)rounds; i++) {
		OK(write(ends[1], &byte, 1));
		OK(read(ends[0], &byte, 1));
		void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(page != MAP_FAILED);
		*(volatile char *)page = 1;
		OK(munmap(page, 4096));
		OK(close(OK(dup(ends[0]))));
	}
	return NULL;
}

static void work(long rounds)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use, (void *)rounds), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void turn(const char *value)
{
	int fd = (int)OK(open(SWITCH, O_WRONLY));
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	OK(close(fd));
}

int main(void)
{
	if (access("/proc/lock_stat", F_OK) != 0)
		SKIP("this kernel was built without statistics of locks");
	struct stat status;
	OK(stat("/proc/lock_stat", &status));
	CHECK_EQ(status.st_mode & 07777, 0600);
	char was[8] = "";
	strncpy(was, test_read_file(SWITCH), sizeof was - 1);
	OK(pipe(ends));

	turn("1\n");
	CHECK_STR(test_read_file(SWITCH), "1\n");
	int64_t begin = test_now();
	int fd = (int)OK(open("/proc/lock_stat", O_WRONLY));
	CHECK_EQ(write(fd, "0\n", 2), 2);
	work(500);
	struct sums on = read_sums();
	double passed = (double)(test_now() - begin);
	CHECK(on.lines > 5);
	CHECK(on.acquisitions > 4 * 500 * 4);
	/* Of the five tasks each may hold locks within locks, and wait for one. */
	CHECK(on.held > 0 && on.held < 5 * NESTING * passed * 1000);
	CHECK(on.waited >= 0 && on.waited < 5 * passed * 1000);

	/* Under load it goes off and on again, often. */
	pthread_t thread;
	CHECK_EQ(pthread_create(&thread, NULL, use, (void *)2000L), 0);
	for (int i = 0; i < 20; i++) {
		turn("0\n");
		usleep(1000);
		turn("1\n");
		usleep(1000);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	read_sums();

	turn("0\n");
	CHECK_STR(test_read_file(SWITCH), "0\n");
	/* Who waited for a lock when it went off is still counted; nothing that comes later. */
	struct sums before, after = read_sums();
	CHECK(after.acquisitions > 0);
	int rounds = 0;
	do {
		before = after;
		work(100);
		after = read_sums();
	} while (++rounds < 20 && (after.acquisitions != before.acquisitions || after.contentions != before.contentions));
	CHECK_EQ(after.acquisitions, before.acquisitions);
	CHECK_EQ(after.contentions, before.contentions);

	/* Only 0 clears. */
	CHECK_EQ(pwrite(fd, "1\n", 2, 0), 2);
	CHECK_EQ(read_sums().acquisitions, before.acquisitions);
	CHECK_EQ(pwrite(fd, "0\n", 2, 0), 2);
	CHECK_EQ(read_sums().acquisitions, 0);
	turn(was);
	return 0;
}
