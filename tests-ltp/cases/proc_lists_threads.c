/* /proc/<pid>/task lists the threads; each has its own id and name. */
#include "nos_test.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>

static int ends[2];
static volatile int tid;

static void *thread(void *unused)
{
	char byte;
	(void)unused;
	prctl(PR_SET_NAME, "second");
	tid = (int)syscall(SYS_gettid);
	read(ends[0], &byte, 1);
	return NULL;
}

int main(void)
{
	pthread_t other;
	char path[64];
	OK(pipe(ends));
	CHECK_EQ(pthread_create(&other, NULL, thread, NULL), 0);
	while (!tid)
		usleep(1000);
	int count = 0, found = 0;
	struct dirent *entry;
	DIR *folder = opendir("/proc/self/task");
	CHECK(folder);
	while ((entry = readdir(folder))) {
		int id = atoi(entry->d_name);
		count += id > 0;
		found |= id == tid;
	}
	CHECK_EQ(count, 2);
	CHECK(found);
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
	CHECK_STR(test_read_file(path), "second\n");
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	CHECK_EQ(atoi(test_read_file(path)), tid);
	snprintf(path, sizeof path, "/proc/%d/stat", tid);
	CHECK_EQ(atoi(test_read_file(path)), tid);
	snprintf(path, sizeof path, "/proc/self/task/%d/task", tid);
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
	CHECK(strstr(test_read_file("/proc/self/status"), "Threads:\t2\n"));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	pthread_join(other, NULL);
	return 0;
}
