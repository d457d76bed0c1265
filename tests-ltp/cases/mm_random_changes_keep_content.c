/* Thousands of random changes to a region, checked page by page against a model, in the process and in its children. */
enum { PAGES = 96, STEPS = 3000 };

#include "nos_model.h"

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
