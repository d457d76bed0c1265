/* Thousands of random changes to a region, checked page by page against a model, in the process and in its children. */
#include "nos_test.h"

enum { PAGES = 96, STEPS = 3000 };

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

int main(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	region = mmap(0, PAGES * 4096, PROT_NONE, anon, -1, 0);
	CHECK(region != MAP_FAILED);
	OK(munmap(region, PAGES * 4096));
	for (int step = 0; step < STEPS; step++) {
		int from = (int)rnd(PAGES), n = 1 + (int)rnd(PAGES - from), prots[] = { 0, 1, 3, 3, 3 };
		int prot = prots[rnd(5)];
		switch (rnd(8)) {
		case 0:
			CHECK_EQ((long)mmap(at(from), n * 4096L, prot, anon | MAP_FIXED, -1, 0), (long)at(from));
			set(from, n, 1, prot, 0);
			break;
		case 1:
			n = n > 8 ? 8 : n;
			CHECK_EQ(munmap(at(from), n * 4096L), 0);
			set(from, n, 0, 0, 0);
			break;
		case 2:
			if (all_mapped(from, n)) {
				CHECK_EQ(mprotect(at(from), n * 4096L, prot), 0);
				set(from, n, 1, prot, -1);
			}
			break;
		case 3:
			n = n > 8 ? 8 : n;
			if (all_mapped(from, n)) {
				CHECK_EQ(madvise(at(from), n * 4096L, MADV_DONTNEED), 0);
				for (int i = from; i < from + n; i++)
					model[i].value = 0;
			}
			break;
		case 4: {
			/* Moves one page's mapping over another. */
			int to = (int)rnd(PAGES);
			if (to != from && model[from].mapped) {
				CHECK_EQ((long)mremap(at(from), 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at(to)), (long)at(to));
				model[to] = model[from];
				set(from, 1, 0, 0, 0);
			}
			break;
		}
		case 5:
			if (rnd(8) == 0) {
				pid_t child = (pid_t)OK(fork());
				if (child == 0) {
					check(step);
					for (int i = 0; i < PAGES; i++)
						if (model[i].mapped && model[i].prot & 2)
							memset(at(i), 'c', 4096);
					_exit(0);
				}
				for (int i = 0; i < PAGES; i += 7)
					if (model[i].mapped && model[i].prot & 2) {
						model[i].value = (char)(step + i);
						memset(at(i), model[i].value, 4096);
					}
				int status;
				CHECK_EQ(waitpid(child, &status, 0), child);
				CHECK_EQ(status, 0);
			}
			break;
		default:
			for (int i = from; i < from + n && i < from + 16; i++)
				if (model[i].mapped && model[i].prot & 2) {
					model[i].value = (char)(1 + rnd(120));
					memset(at(i), model[i].value, 4096);
				}
		}
		check(step);
	}
	return 0;
}
