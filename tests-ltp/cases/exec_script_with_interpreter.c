/* execve of a script runs its interpreter with the optional argument and the script's path. */
#include "nos_test.h"

int main(void)
{
	int ends[2];
	char buffer[256] = "";
	test_write_file("script", "#! /bin/echo  one two \nignored\n");
	OK(chmod("script", 0755));
	OK(pipe(ends));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		dup2(ends[1], 1);
		execl("./script", "zero", "three", (char *)NULL);
		_exit(1);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK(read(ends[0], buffer, sizeof buffer - 1) > 0);
	CHECK_STR(buffer, "one two ./script three\n");
	return 0;
}
