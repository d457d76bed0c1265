/* The strings of a new program: how long one may be, how many there may be, and that none become one. */
#include "nos_test.h"
#include <sys/resource.h>

int main(int argc, char **argv)
{
	if (argc == 0 || argv[0][0] == '\0')
		return argc == 1 ? 42 : 43;
	static char string[131072 + 1];
	memset(string, 'a', sizeof string - 1);
	char *self = "/proc/self/exe";

	/* 128 KiB with the NUL is too long by one. */
	string[131072] = '\0';
	CHECK_ERRNO(execve(self, (char *[]){ "x", string, NULL }, NULL), E2BIG);
	string[131071] = '\0';
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		execve("/bin/true", (char *[]){ "true", string, NULL }, NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 0);

	/* All together: a quarter of the stack's limit. */
	OK(setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 1 << 20 }));
	CHECK_ERRNO(execve(self, (char *[]){ "x", string, string, NULL }, NULL), E2BIG);

	CHECK_ERRNO(syscall(SYS_execve, self, UNMAPPED_ADDRESS, NULL), EFAULT);
	CHECK_ERRNO(execve(self, (char *[]){ UNMAPPED_ADDRESS, NULL }, NULL), EFAULT);
	CHECK_ERRNO(execve(UNMAPPED_ADDRESS, NULL, NULL), EFAULT);

	/* An empty list gives the program one empty argument. */
	child = (pid_t)OK(fork());
	if (child == 0) {
		execve(self, (char *[]){ NULL }, NULL);
		_exit(99);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 42);
	return 0;
}
