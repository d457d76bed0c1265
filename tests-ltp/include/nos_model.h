/* A region of memory and what it is to hold: what cases that change it at random share. `PAGES` is the region's size. */
#ifndef NOS_MODEL_H
#define NOS_MODEL_H

#include "nos_test.h"

/* What each page must hold, and what may be done with it. */
static struct page {
	char mapped, prot, value;
} model[PAGES];
static char *region;
static unsigned long long seed = 88172645463325252ULL;

static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static char *at(int page)
{
	return region + page * 4096L;
}

static void set(int from, int n, int mapped, int prot, int value)
{
	for (int i = from; i < from + n; i++) {
		model[i].mapped = (char)mapped;
		model[i].prot = (char)prot;
		if (value >= 0)
			model[i].value = (char)value;
	}
}

static int all_mapped(int from, int n)
{
	for (int i = from; i < from + n; i++)
		if (!model[i].mapped)
			return 0;
	return 1;
}

static void check(int step)
{
	for (int i = 0; i < PAGES; i++)
		if (model[i].mapped && model[i].prot && (at(i)[0] != model[i].value || at(i)[4095] != model[i].value))
			FAIL("step %d: page %d holds %d and %d, not %d", step, i, at(i)[0], at(i)[4095], model[i].value);
}

#endif
