/* DONTFORK, WIPEONFORK, and copy-on-write in both directions, over many pages. */
#include "nos_test.h"
#include <signal.h>
#include <sys/wait.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
enum { PAGES = 2000 };

static char *map(void)
{
	char *m = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		m[i * 4096] = (char)i;
	return m;
}

int main(void)
{
	char *plain = map(), *wiped = map(), *gone = map();
	CHECK_EQ(madvise(wiped, PAGES * 4096, MADV_WIPEONFORK), 0);
	CHECK_EQ(madvise(gone, PAGES * 4096, MADV_DONTFORK), 0);
	int to_child[2], to_parent[2];
	OK(pipe(to_child));
	OK(pipe(to_parent));
	pid_t child = (pid_t)OK(fork());
	char c = 0;
	if (child == 0) {
		for (int i = 0; i < PAGES; i++) {
			if (plain[i * 4096] != (char)i || wiped[i * 4096] != 0)
				_exit(1);
			plain[i * 4096] = 'c';
		}
		write(to_parent[1], &c, 1);
		read(to_child[0], &c, 1);
		for (int i = 0; i < PAGES; i++)
			if (plain[i * 4096] != 'c')
				_exit(2);
		gone[0] = 1;
		_exit(3);
	}
	CHECK_EQ(read(to_parent[0], &c, 1), 1);
	for (int i = 0; i < PAGES; i++) {
		CHECK_EQ(plain[i * 4096], (char)i);
		plain[i * 4096] = 'p';
		CHECK_EQ(gone[i * 4096], (char)i);
	}
	CHECK_EQ(write(to_child[1], &c, 1), 1);
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(plain[i * 4096], 'p');
	CHECK_ERRNO(madvise(plain + 1, 4096, MADV_NORMAL), EINVAL);
	CHECK_ERRNO(madvise(plain, 4096, 12345), EINVAL);
	OK(munmap(plain + 4096, 4096));
	CHECK_ERRNO(madvise(plain, 3 * 4096, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(plain[0], 0);
	CHECK_EQ(plain[2 * 4096], 0);
	CHECK_EQ(plain[3 * 4096], 'p');
	return 0;
}
