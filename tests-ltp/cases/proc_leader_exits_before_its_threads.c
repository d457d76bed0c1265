/* A process whose first thread has ended goes on; it ends with its last thread, and with that one's status. */
#include "nos_test.h"
#include <pthread.h>

static int ends[2];

static void *last(void *unused)
{
	char byte;
	(void)unused;
	(void)!read(ends[0], &byte, 1);
	syscall(SYS_exit, 9);
	return NULL;
}

int main(void)
{
	int status;
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		pthread_t thread;
		close(ends[1]);
		CHECK_EQ(pthread_create(&thread, NULL, last, NULL), 0);
		syscall(SYS_exit, 4);
	}
	usleep(100000);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	OK(kill(child, 0));
	OK(close(ends[1]));
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 9);
	CHECK_ERRNO(kill(child, 0), ESRCH);
	return 0;
}
