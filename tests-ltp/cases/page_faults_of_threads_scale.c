/*
 * Page faults of two threads of a process do not wait for each other, be they in mappings of their own or in parts of one: on two CPUs there
 * are nearly twice as many of them. Only what is far from that fails, since others may use the processors below.
 */
#include "nos_scale.h"

#define PAGES 2048
#define SIZE (PAGES * 4096L)

static char *memory(int prot)
{
	char *all = mmap(NULL, 3 * SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(all != MAP_FAILED);
	/* A page a fault; a Linux without huge pages does not know the advice. */
	if (madvise(all, 3 * SIZE, MADV_NOHUGEPAGE) != 0)
		CHECK_EQ(errno, EINVAL);
	return all;
}

static void touch(struct own *own)
{
	if (own->page == PAGES) {
		own->page = 0;
		OK(madvise(own->memory, SIZE, MADV_DONTNEED));
	}
	((volatile char *)own->memory)[own->page++ * 4096] = 1;
}

int main(void)
{
	static const struct kind own_mappings = { "a page fault in a mapping of its own", touch };
	static const struct kind one_mapping = { "a page fault in a common mapping", touch };
	for (int i = 0; i < 2; i++)
		owns[i].memory = memory(PROT_READ | PROT_WRITE);
	check_scaling(&own_mappings, 1);
	char *common = memory(PROT_READ | PROT_WRITE);
	for (int i = 0; i < 2; i++) {
		/* A page table of both's would be where they meet. */
		owns[i].memory = common + i * 2 * SIZE;
		owns[i].page = 0;
	}
	check_scaling(&one_mapping, 1);
	return 0;
}
