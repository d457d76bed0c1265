/* A MAP_SHARED mapping stays shared across fork. */
#include "nos_test.h"

int main(void)
{
	volatile int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	CHILD(page[10] = 42);
	CHECK_EQ(page[10], 42);
	return 0;
}
