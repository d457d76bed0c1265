/*
 * Many processes that take turns on one CPU, and end and are replaced, each see what is theirs at the addresses that all of them use.
 */
#include "nos_test.h"
#include <sched.h>

enum { PROCESSES = 20, ROUNDS = 60, LIFE = 7, PAGES = 6, PAGE = 4096 };

static volatile long *memory;

static volatile long *word(int page)
{
	return memory + page * PAGE / sizeof(long);
}

/* One process: at each turn its pages are as it left them; then it changes them. */
static void live(int in, int out, long first)
{
	long value = first;
	for (int page = 0; page < PAGES; page++)
		*word(page) = value + page;
	for (int turn = 0; turn < LIFE; turn++) {
		char token;
		CHECK_EQ(read(in, &token, 1), 1);
		for (int page = 0; page < PAGES; page++)
			CHECK_EQ(*word(page), value + page);
		value += 1000;
		if (turn % 3 == 1)
			/* Fresh pages at the same place. */
			CHECK(mmap((void *)memory, PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
		for (int page = 0; page < PAGES; page++)
			*word(page) = value + page;
		CHECK_EQ(write(out, &token, 1), 1);
	}
}

int main(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	OK(sched_setaffinity(0, sizeof set, &set));
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	pid_t pids[PROCESSES];
	int turns[PROCESSES][2], done[PROCESSES][2], age[PROCESSES];
	for (int n = 0; n < PROCESSES; n++) {
		OK(pipe(turns[n]));
		OK(pipe(done[n]));
		/* So that they do not end all at once. */
		age[n] = 0;
		pids[n] = 0;
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int n = 0; n < PROCESSES; n++) {
			if (pids[n] == 0 && round < n % LIFE)
				continue;
			if (pids[n] == 0) {
				pids[n] = (pid_t)OK(fork());
				age[n] = 0;
				if (pids[n] == 0) {
					live(turns[n][0], done[n][1], (round * PROCESSES + n) * 100000L);
					_exit(0);
				}
			}
			char token = 0;
			CHECK_EQ(write(turns[n][1], &token, 1), 1);
			CHECK_EQ(read(done[n][0], &token, 1), 1);
			if (++age[n] == LIFE) {
				CHECK_EQ(test_wait(pids[n]), 0);
				pids[n] = 0;
			}
		}
	}
	/* Those that are left wait for a turn that does not come. */
	for (int n = 0; n < PROCESSES; n++)
		if (pids[n] != 0) {
			kill(pids[n], SIGKILL);
			test_wait(pids[n]);
		}
	return 0;
}
