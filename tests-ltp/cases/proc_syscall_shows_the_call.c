/* /proc/<pid>/syscall: the call in which a task sleeps, its arguments, and where it was made; for those who may look. */
#include "nos_test.h"

int main(void)
{
	char text[256], expected[128], path[64];
	int fd = (int)OK(open("/proc/self/syscall", O_RDONLY));
	ssize_t length = OK(syscall(SYS_read, fd, text, sizeof text - 1));
	text[length] = '\0';
	snprintf(expected, sizeof expected, "%d 0x%x 0x%lx 0x%lx ", SYS_read, fd, (unsigned long)text,
		 sizeof text - 1);
	CHECK(strncmp(text, expected, strlen(expected)) == 0);

	int ends[2];
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		syscall(SYS_read, ends[0], text, 5, 0x123, 0x456, 0x789);
		for (;;)
			;
	}
	snprintf(path, sizeof path, "/proc/%d/syscall", child);
	unsigned long words[9];
	for (;;) {
		char *found = test_read_file(path);
		int count = sscanf(found, "%lu %lx %lx %lx %lx %lx %lx %lx %lx", words, words + 1, words + 2,
				   words + 3, words + 4, words + 5, words + 6, words + 7, words + 8);
		if (count == 9 && words[0] == SYS_read)
			break;
		usleep(1000);
	}
	CHECK_EQ(words[1], ends[0]);
	CHECK_EQ(words[2], (unsigned long)text);
	CHECK_EQ(words[3], 5);
	CHECK_EQ(words[4], 0x123);
	CHECK_EQ(words[5], 0x456);
	CHECK_EQ(words[6], 0x789);
	CHECK(words[7] != 0 && words[8] != 0);

	pid_t stranger = (pid_t)OK(fork());
	if (stranger == 0) {
		OK(setuid(1000));
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(stranger)), 0);

	/* Back in its own code. */
	CHECK_EQ(write(ends[1], "x", 1), 1);
	while (strcmp(test_read_file(path), "running\n") != 0)
		usleep(1000);
	OK(kill(child, SIGKILL));
	test_wait(child);
	return 0;
}
