/* After fork, a write by either side is not seen by the other. */
#include "nos_test.h"

static volatile int shared_variable = 1;

int main(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ready[2];
	CHECK(page != MAP_FAILED);
	memset(page, 'p', 8192);
	OK(pipe(ready));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		page[0] = 'c';
		shared_variable = 2;
		CHECK_EQ(read(ready[0], &byte, 1), 1);
		CHECK_EQ(page[4096], 'p');
		CHECK_EQ(page[0], 'c');
		_exit(7);
	}
	page[4096] = 'q';
	CHECK_EQ(write(ready[1], "x", 1), 1);
	int status = test_wait(child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
	CHECK_EQ(page[0], 'p');
	CHECK_EQ(shared_variable, 1);
	return 0;
}
