/*
 * A thread does not go on with what its CPU remembers of its memory when that was changed on another CPU while its own ran another
 * process: pages replaced, protected, moved, given up, tables taken away, pages shared with a child.
 */
#include "nos_test.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>

enum { ROUNDS = 240, KINDS = 6, PAGES = 5, PAGE = 4096 };
#define HUGE ((size_t)2 << 20)

/* reader -> other (on the same CPU) -> changer (on another) -> reader */
static int to_other[2], to_changer[2], to_reader[2];
/* Two aligned stretches of 2 MiB: so a table of each can go. */
static char *memory;
/* The first byte of each page in this round. */
static char tag;
static int child_asks[2], child_answers[2];
static pid_t sharer;
static sigjmp_buf back;
static volatile sig_atomic_t faults;

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof set, &set));
}

static void pass(int fd, char what)
{
	CHECK_EQ(write(fd, &what, 1), 1);
}

static char take(int fd)
{
	char what;
	CHECK_EQ(read(fd, &what, 1), 1);
	return what;
}

static void fault(int number)
{
	(void)number;
	faults++;
	siglongjmp(back, 1);
}

static char *page(int n)
{
	return memory + n * PAGE;
}

static void map(char *at, size_t size, int flags)
{
	CHECK(mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0) == at);
}

static void fill(char value)
{
	for (int n = 0; n < PAGES; n++)
		*page(n) = value;
}

/* What the changer does in a round of each kind. */
static void change(int kind)
{
	switch (kind) {
	case 0: /* other pages in their place */
		map(memory, PAGES * PAGE, 0);
		fill(tag);
		break;
	case 1: /* no writes any more */
		OK(mprotect(memory, PAGES * PAGE, PROT_READ));
		break;
	case 2: /* the tables go, too, and others come */
		OK(munmap(memory, 2 * HUGE));
		map(memory, 2 * HUGE, MAP_NORESERVE);
		OK(madvise(memory, 2 * HUGE, MADV_NOHUGEPAGE));
		fill(tag);
		break;
	case 3: { /* pages from elsewhere */
		char *from = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(from != MAP_FAILED);
		for (int n = 0; n < PAGES; n++)
			from[n * PAGE] = tag;
		CHECK(mremap(from, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == memory);
		break;
	}
	case 4: /* zeros */
		OK(madvise(memory, PAGES * PAGE, MADV_DONTNEED));
		break;
	case 5: { /* a child has the pages, too */
		OK(pipe(child_asks));
		OK(pipe(child_answers));
		sharer = (pid_t)OK(fork());
		if (sharer == 0) {
			take(child_asks[0]);
			char sum = 0;
			for (int n = 0; n < PAGES; n++)
				sum |= *page(n) ^ (char)(tag - 1);
			pass(child_answers[1], sum);
			_exit(0);
		}
		break;
	}
	}
}

static void *changer(void *argument)
{
	(void)argument;
	pin(sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0);
	for (int round = 0; round < ROUNDS; round++) {
		take(to_changer[0]);
		change(round % KINDS);
		pass(to_reader[1], 0);
	}
	return NULL;
}

/* Another space on the reader's CPU. */
static void other(void)
{
	pin(0);
	/* The same addresses, with another content. */
	map(memory, PAGES * PAGE, 0);
	fill(127);
	for (int round = 0; round < ROUNDS; round++) {
		take(to_other[0]);
		for (int n = 0; n < PAGES; n++)
			CHECK_EQ(*page(n), 127);
		pass(to_changer[1], 0);
	}
}

/* Whether a write to the page is refused. */
static int is_refused(char *at)
{
	faults = 0;
	if (sigsetjmp(back, 1) == 0)
		*(volatile char *)at = tag;
	return faults == 1;
}

int main(void)
{
	pthread_t thread;
	OK(pipe(to_other));
	OK(pipe(to_changer));
	OK(pipe(to_reader));
	signal(SIGSEGV, fault);
	char *area = mmap(NULL, 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(area != MAP_FAILED);
	memory = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		other();
		_exit(0);
	}
	map(memory, 2 * HUGE, MAP_NORESERVE);
	OK(madvise(memory, 2 * HUGE, MADV_NOHUGEPAGE));
	CHECK_EQ(pthread_create(&thread, NULL, changer, NULL), 0);
	pin(0);
	for (int round = 0; round < ROUNDS; round++) {
		int kind = round % KINDS;
		tag = (char)(2 + round % 100);
		fill(tag - 1);
		pass(to_other[1], 0);
		take(to_reader[0]);
		switch (kind) {
		case 0:
		case 2:
		case 3:
			for (int n = 0; n < PAGES; n++)
				CHECK_EQ(*page(n), tag);
			break;
		case 1:
			for (int n = 0; n < PAGES; n++) {
				CHECK(is_refused(page(n)));
				CHECK_EQ(*page(n), (char)(tag - 1));
			}
			OK(mprotect(memory, PAGES * PAGE, PROT_READ | PROT_WRITE));
			break;
		case 4:
			for (int n = 0; n < PAGES; n++)
				CHECK_EQ(*page(n), 0);
			break;
		case 5:
			fill(tag);
			pass(child_asks[1], 0);
			CHECK_EQ(take(child_answers[0]), 0);
			for (int n = 0; n < PAGES; n++)
				CHECK_EQ(*page(n), tag);
			for (int end = 0; end < 2; end++) {
				close(child_asks[end]);
				close(child_answers[end]);
			}
			CHECK_EQ(test_wait(sharer), 0);
			break;
		}
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
