/* Random changes to three huge pages' worth of memory, some of whole huge pages, some of parts, checked against a model, in the process and in its children. */
#include "nos_huge.h"

enum { HUGES = 3, PAGES = HUGES * 512, STEPS = 500 };

#include "nos_model.h"

static char *aside;

static void write_page(int i, int value)
{
	if (model[i].mapped && model[i].prot & 2) {
		model[i].value = (char)value;
		at(i)[0] = at(i)[4095] = (char)value;
	}
}

int main(void)
{
	region = huge_region(HUGES);
	aside = huge_region(HUGES);
	OK(munmap(region, HUGES * HUGE_SIZE));
	OK(munmap(aside, HUGES * HUGE_SIZE));
	for (int step = 0; step < STEPS; step++) {
		/* Huge pages as a whole, or any part. */
		int whole = rnd(2), from, n;
		if (whole) {
			from = 512 * (int)rnd(HUGES);
			n = 512 * (1 + (int)rnd(HUGES - from / 512));
		} else {
			from = (int)rnd(PAGES);
			n = 1 + (int)rnd(PAGES - from < 300 ? PAGES - from : 300);
		}
		int prots[] = { 0, 1, 3, 3, 3 }, prot = prots[rnd(5)];
		switch (rnd(11)) {
		case 0:
		case 1:
			CHECK(mmap(at(from), n * 4096L, prot, PRIVATE | MAP_FIXED, -1, 0) == at(from));
			OK(madvise(at(from), n * 4096L, MADV_HUGEPAGE));
			set(from, n, 1, prot, 0);
			break;
		case 2:
			n = rnd(4) ? 1 : n;
			OK(munmap(at(from), n * 4096L));
			set(from, n, 0, 0, 0);
			break;
		case 3:
			if (all_mapped(from, n)) {
				OK(mprotect(at(from), n * 4096L, prot));
				set(from, n, 1, prot, -1);
			}
			break;
		case 4:
			n = whole || n < 8 ? n : 8;
			if (all_mapped(from, n)) {
				OK(madvise(at(from), n * 4096L, MADV_DONTNEED));
				for (int i = from; i < from + n; i++)
					model[i].value = 0;
			}
			break;
		case 5:
			/* Away and back again, to where it lies alike or not. */
			for (int i = from; i < from + n; i++)
				if (!model[i].mapped || model[i].prot != model[from].prot)
					n = i - from;
			if (n > 0) {
				char *to = aside + rnd(2) * 4096 + (rnd(2) ? (at(from) - region) % HUGE_SIZE : 0);
				/* Parts that were told apart by something else are mappings of their own. */
				if (mremap(at(from), n * 4096L, n * 4096L, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
					CHECK(mremap(to, n * 4096L, n * 4096L, MREMAP_MAYMOVE | MREMAP_FIXED, at(from)) == at(from));
			}
			break;
		case 6:
			if (rnd(3) == 0) {
				pid_t child = (pid_t)OK(fork());
				if (child == 0) {
					check(step);
					for (int i = 0; i < PAGES; i += 1 + (int)rnd(9))
						write_page(i, 'c');
					check(step);
					_exit(0);
				}
				for (int i = 0; i < PAGES; i += 1 + (int)rnd(99))
					write_page(i, step + i);
				check(step);
				CHECK_EQ(test_wait(child), 0);
			}
			break;
		case 7:
			/* As far as it goes. */
			for (int i = 0; i < HUGES; i++)
				madvise(at(i * 512), HUGE_SIZE, MADV_COLLAPSE);
			break;
		default:
			for (int i = from; i < from + n; i++)
				write_page(i, 1 + (int)rnd(120));
		}
		check(step);
	}
	return 0;
}
