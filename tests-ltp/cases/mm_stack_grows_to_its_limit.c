/* The stack grows when it is touched, as far as RLIMIT_STACK allows, and ends with SIGSEGV. */
#include "nos_test.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int depth(int kib)
{
	volatile char page[1024];
	page[0] = (char)kib;
	return kib <= 0 ? page[0] : depth(kib - 1) + page[0];
}

int main(void)
{
	struct rlimit limit = { 4 << 20, 4 << 20 };
	OK(setrlimit(RLIMIT_STACK, &limit));
	depth(3 << 10);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		depth(8 << 10);
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
	return 0;
}
