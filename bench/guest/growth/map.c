/*
 * An address space of SIZE mappings of one page, each between holes of one page: mapping and unmapping two pages, which fit into none of
 * the holes, and the fault on a page of one of the mappings.
 */
#include "growth.h"

#define PAGE 4096ul
/* Faults a round: distinct pages, evenly spread. */
#define FAULTS 1000ul

static unsigned long mappings;
/* The end of the place for all of them. They fill it downwards, so that a search from the top meets every hole. */
static char *top;

static char *mapping(unsigned long number)
{
	return top - (number + 1) * 2 * PAGE;
}

static void map_and_unmap(void)
{
	void *new = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (new == MAP_FAILED || munmap(new, 2 * PAGE) != 0)
		fail("mmap");
}

static double cost_of_fault(void)
{
	double rounds[ROUNDS];
	unsigned long faults = mappings < FAULTS ? mappings : FAULTS, step = mappings / faults;
	unsigned long repeats = FAULTS / faults;
	for (int round = -1; round < ROUNDS; round++) {
		uint64_t spent = 0;
		for (unsigned long repeat = 0; repeat < repeats; repeat++) {
			uint64_t start = now();
			for (unsigned long i = 0; i < faults; i++)
				*(volatile char *)mapping(i * step) = 1;
			spent += now() - start;
			for (unsigned long i = 0; i < faults; i++)
				if (madvise(mapping(i * step), PAGE, MADV_DONTNEED) != 0)
					fail("madvise");
		}
		if (round >= 0)
			rounds[round] = (double)spent / (double)(repeats * faults);
	}
	return median(rounds, ROUNDS);
}

int main(int count, char **sizes)
{
	unsigned long most = size_of(sizes[count - 1]);
	set_sysctl("/proc/sys/vm/max_map_count", "1000000");
	/* A place where nothing else is, found by mapping all of it once. */
	char *base = mmap(NULL, 2 * most * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED || munmap(base, 2 * most * PAGE) != 0)
		fail("mmap");
	top = base + 2 * most * PAGE;
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		void *new = NULL;
		for (; new != MAP_FAILED && mappings < size; mappings += new != MAP_FAILED)
			new = mmap(mapping(mappings), PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (new == MAP_FAILED) {
			print_missing("mmap", size, "mmap");
			print_missing("page_fault", size, "mmap");
			continue;
		}
		print_cost("mmap", size, cost_of(map_and_unmap, 200));
		print_cost("page_fault", size, cost_of_fault());
	}
	return 0;
}
