/* FS, GS, DS and ES keep a thread's selectors, and FS and GS their bases, whatever others on the same CPU load; a child has its
 * parent's, setting a base takes the selector away, and a program starts with none. */
#include "nos_test.h"
#include <asm/prctl.h>
#include <sched.h>
#include <sys/auxv.h>

#define ROUNDS 2000
#define GS_BASE 0x123456789000UL

struct selectors {
	unsigned short ds, es, fs, gs;
};

/* Between loading FS and setting its base again there is no thread pointer: nothing here may use one. */
static inline long raw(long number, long first, long second)
{
	long result;
	asm volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
	return result;
}

static inline struct selectors selectors(void)
{
	struct selectors now;
	asm volatile("mov %%ds, %0" : "=r"(now.ds));
	asm volatile("mov %%es, %0" : "=r"(now.es));
	asm volatile("mov %%fs, %0" : "=r"(now.fs));
	asm volatile("mov %%gs, %0" : "=r"(now.gs));
	return now;
}

static inline void load(struct selectors new)
{
	asm volatile("mov %0, %%ds" : : "r"(new.ds));
	asm volatile("mov %0, %%es" : : "r"(new.es));
	asm volatile("mov %0, %%fs" : : "r"(new.fs));
	asm volatile("mov %0, %%gs" : : "r"(new.gs));
}

static inline int same(struct selectors a, struct selectors b)
{
	return a.ds == b.ds && a.es == b.es && a.fs == b.fs && a.gs == b.gs;
}

static unsigned short data_selector(void)
{
	unsigned short selector;
	asm volatile("mov %%ss, %0" : "=r"(selector));
	return selector;
}

/* Loads these, gives way to the others again and again, and looks whether they are still there: how often they were not. */
static long keep(struct selectors mine)
{
	long lost = 0;
	unsigned long thread_pointer = 0;
	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&thread_pointer);
	load(mine);
	for (int round = 0; round < ROUNDS; round++) {
		raw(SYS_sched_yield, 0, 0);
		if (!same(selectors(), mine)) {
			lost++;
			load(mine);
		}
	}
	load((struct selectors){ 0, 0, 0, 0 });
	raw(SYS_arch_prctl, ARCH_SET_FS, thread_pointer);
	return lost;
}

/* The same for a base of GS with and without a selector, where user mode may set one. */
static long keep_base(unsigned short selector, unsigned long base)
{
	long lost = 0;
	asm volatile("mov %0, %%gs" : : "r"(selector));
	asm volatile("wrgsbase %0" : : "r"(base));
	for (int round = 0; round < ROUNDS; round++) {
		unsigned long now;
		raw(SYS_sched_yield, 0, 0);
		asm volatile("rdgsbase %0" : "=r"(now));
		if (now != base || selectors().gs != selector) {
			lost++;
			asm volatile("mov %0, %%gs" : : "r"(selector));
			asm volatile("wrgsbase %0" : : "r"(base));
		}
	}
	return lost;
}

int main(int argc, char **argv)
{
	struct selectors none = { 0, 0, 0, 0 };
	unsigned short data = data_selector();
	struct selectors all = { data, data, data, data };
	unsigned long base;
	if (argc > 1) {
		/* A new program. */
		CHECK(same(selectors(), none));
		OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
		CHECK_EQ(base, 0);
		return 0;
	}
	CHECK(same(selectors(), none));

	/* All on one CPU, so that they take turns. */
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	OK(sched_setaffinity(0, sizeof one, &one));
	struct selectors sets[] = { none, all, { data, 0, 0, 0 }, { 0, data, 0, 0 }, { 0, 0, data, 0 }, { 0, 0, 0, data } };
	pid_t children[8];
	int count = 0;
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		children[count] = (pid_t)OK(fork());
		if (children[count++] == 0) {
			long lost = keep(sets[i]);
			if (lost != 0)
				FAIL("set %zu was lost %ld times of %d", i, lost, ROUNDS);
			_exit(0);
		}
	}
	/* HWCAP2_FSGSBASE */
	if (getauxval(AT_HWCAP2) & 2)
		for (int with = 0; with < 2; with++) {
			children[count] = (pid_t)OK(fork());
			if (children[count++] == 0) {
				long lost = keep_base(with ? data : 0, GS_BASE);
				if (lost != 0)
					FAIL("the base %s selector was lost %ld times", with ? "with" : "without", lost);
				_exit(0);
			}
		}
	for (int i = 0; i < count; i++)
		CHECK_EQ(test_wait(children[i]), 0);

	/* A child has them. */
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%gs" : : "r"(data));
	struct selectors mine = { data, data, 0, data };
	CHECK(same(selectors(), mine));
	CHILD(CHECK(same(selectors(), mine)));

	/* Setting a base takes the selector away. */
	OK(syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE));
	mine.gs = 0;
	CHECK(same(selectors(), mine));
	CHILD({
		CHECK(same(selectors(), mine));
		OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
		CHECK_EQ(base, GS_BASE);
	});

	/* A program starts with none. */
	CHILD({
		asm volatile("mov %0, %%gs" : : "r"(data));
		execl("/proc/self/exe", argv[0], "again", (char *)NULL);
		FAIL("exec: %s", strerror(errno));
	});
	return 0;
}
