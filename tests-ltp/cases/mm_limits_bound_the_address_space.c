/* RLIMIT_AS and RLIMIT_DATA; a request for more than all of memory. */
#include "nos_test.h"
#include <sys/resource.h>

int main(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	CHECK_ERRNO((long)mmap(0, 1UL << 45, PROT_READ | PROT_WRITE, anon, -1, 0), ENOMEM);
	char *huge = mmap(0, 1UL << 45, PROT_READ | PROT_WRITE, anon | MAP_NORESERVE, -1, 0);
	CHECK(huge != MAP_FAILED);
	huge[1UL << 44] = 1;
	CHECK_EQ(huge[1UL << 44], 1);
	CHECK_EQ(huge[(1UL << 45) - 1], 0);
	OK(munmap(huge, 1UL << 45));
	char *none = mmap(0, 1UL << 45, PROT_NONE, anon, -1, 0);
	CHECK(none != MAP_FAILED);
	OK(munmap(none, 1UL << 45));
	struct rlimit limit = { 64 << 20, 64 << 20 };
	OK(setrlimit(RLIMIT_DATA, &limit));
	CHECK_ERRNO((long)mmap(0, 65 << 20, PROT_READ | PROT_WRITE, anon, -1, 0), ENOMEM);
	CHECK(mmap(0, 65 << 20, PROT_READ, anon, -1, 0) != MAP_FAILED);
	OK(setrlimit(RLIMIT_AS, &limit));
	CHECK_ERRNO((long)mmap(0, 1 << 20, PROT_READ, anon, -1, 0), ENOMEM);
	return 0;
}
