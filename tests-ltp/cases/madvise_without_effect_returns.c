/* Advice that changes nothing, for a part of a mapping, returns. */
#include "nos_test.h"

int main(void)
{
	static const int advice[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DOFORK, MADV_DONTFORK };
	char *memory = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
		for (int twice = 0; twice < 2; twice++)
			OK(madvise(memory + 4096, 4096, advice[i]));
	return 0;
}
