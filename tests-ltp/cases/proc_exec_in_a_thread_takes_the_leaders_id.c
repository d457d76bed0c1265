/* execve by a thread that is not the leader ends the others and goes on under the process's id. */
#include "nos_test.h"
#include <dirent.h>
#include <pthread.h>

static char program[4096];

static void *sleeper(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void *runner(void *pid)
{
	char text[16];
	sprintf(text, "%d", *(int *)pid);
	execl(program, "again", text, NULL);
	FAIL("execl: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	if (argc == 2) {
		CHECK_EQ(getpid(), atoi(argv[1]));
		CHECK_EQ(syscall(SYS_gettid), atoi(argv[1]));
		/* Nobody is left of the old program. */
		char path[32];
		sprintf(path, "/proc/%d/task", getpid());
		int count = 0;
		DIR *threads = opendir(path);
		CHECK(threads != NULL);
		for (struct dirent *entry; (entry = readdir(threads));)
			count += entry->d_name[0] != '.';
		CHECK_EQ(count, 1);
		return 0;
	}
	/* /proc/self is the leader, which may be gone when a thread asks. */
	OK(readlink("/proc/self/exe", program, sizeof program - 1));
	for (int round = 0; round < 20; round++) {
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			pthread_t threads[4];
			int pid = getpid();
			for (int i = 0; i < 3; i++)
				CHECK_EQ(pthread_create(&threads[i], NULL, sleeper, NULL), 0);
			CHECK_EQ(pthread_create(&threads[3], NULL, runner, &pid), 0);
			if (round % 2)
				pthread_exit(NULL);
			sleeper(NULL);
		}
		CHECK_EQ(test_wait(child), 0);
	}
	return 0;
}
