/* Threads that fault in a page after page while others unmap, protect, move, empty and fork the same space: no page keeps what it should not, or loses
 * what it should keep. */
#include "nos_test.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { PAGES = 64, ROUNDS = 25, PAGE = 4096 };

/* The place that is changed under the fault-makers' hands, and what its pages may hold: 0 or the round's number. */
static char *place, *elsewhere;
static unsigned *kept[2];
static _Atomic int round_number, over, bad;
/* What each thread that fills the place writes next. */
static _Atomic int going[2];
#define ASKING (-1)
static __thread sigjmp_buf out;

static void give_time(void)
{
	usleep(300);
}

/* Pages of each thread's own, which nobody else touches: their content must stay. */
static void *keep(void *arg)
{
	long id = (long)arg;
	unsigned *own = kept[id];
	for (unsigned n = 1; !over; n++) {
		for (int p = 0; p < PAGES; p++)
			own[p * 1024 + id] = n + p;
		for (int p = 0; p < PAGES; p++)
			if (own[p * 1024 + id] != n + p)
				bad = 1;
		if (n % 8 == 0) {
			CHECK_EQ(madvise(own, PAGES * PAGE, MADV_DONTNEED), 0);
			for (int p = 0; p < PAGES; p++)
				if (own[p * 1024 + id] != 0)
					bad = 2;
		}
	}
	return NULL;
}

static void jump(int sig)
{
	(void)sig;
	siglongjmp(out, 1);
}

/* Writes to the place as long as it may. */
static void *fill(void *arg)
{
	long id = (long)arg;
	while (!over) {
		if (sigsetjmp(out, 1))
			continue;
		for (int p = 0; p < PAGES; p++) {
			going[id] = ASKING;
			going[id] = round_number;
			((_Atomic int *)place)[p * 1024 + id] = going[id];
		}
	}
	return NULL;
}

static void map_place(void)
{
	CHECK(mmap(place, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place);
}

/* Begins round `n`: which older number each thread may still be about to write. */
static void begin_round(int n, int held[2])
{
	round_number = n;
	for (int id = 0; id < 2; id++)
		while ((held[id] = going[id]) == ASKING)
			usleep(100);
}

/* Pages written before the round began are gone. */
static void check_fresh(const char *at, int n, const int held[2])
{
	for (int p = 0; p < PAGES; p++)
		for (int id = 0; id < 2; id++) {
			int seen = ((_Atomic int *)at)[p * 1024 + id];
			CHECK(seen == 0 || seen >= n || seen == held[id]);
		}
}

int main(void)
{
	struct sigaction action = { .sa_handler = jump };
	OK(sigaction(SIGSEGV, &action, NULL));
	OK(sigaction(SIGBUS, &action, NULL));
	char *both = mmap(0, 2 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(both != MAP_FAILED);
	place = both;
	elsewhere = both + PAGES * PAGE;
	pthread_t threads[4];
	for (long i = 0; i < 2; i++) {
		/* Here, as nothing but the place may come to where that is unmapped. */
		kept[i] = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(kept[i] != MAP_FAILED);
	}
	for (long i = 0; i < 2; i++) {
		CHECK_EQ(pthread_create(&threads[i], NULL, fill, (void *)i), 0);
		CHECK_EQ(pthread_create(&threads[2 + i], NULL, keep, (void *)i), 0);
	}
	for (int n = 1; n <= ROUNDS; n++) {
		/* A new mapping shows nothing from before; an old number may still be on its way to a page. */
		int held[2];
		CHECK_EQ(munmap(place, PAGES * PAGE), 0);
		begin_round(n, held);
		map_place();
		give_time();
		check_fresh(place, n, held);
		/* Read-only: what is there stays as it is. */
		CHECK_EQ(mprotect(place, PAGES * PAGE, PROT_READ), 0);
		static int seen[PAGES][2];
		for (int p = 0; p < PAGES; p++)
			for (int id = 0; id < 2; id++)
				seen[p][id] = ((int *)place)[p * 1024 + id];
		give_time();
		for (int p = 0; p < PAGES; p++)
			for (int id = 0; id < 2; id++)
				CHECK_EQ(((volatile int *)place)[p * 1024 + id], seen[p][id]);
		CHECK_EQ(mprotect(place, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
		/* A child's copy does not change, whatever the parent writes. */
		if (n % 4 == 0) {
			pid_t child = (pid_t)OK(fork());
			if (child == 0) {
				for (int p = 0; p < PAGES; p++)
					for (int id = 0; id < 2; id++)
						seen[p][id] = ((volatile int *)place)[p * 1024 + id];
				give_time();
				for (int p = 0; p < PAGES; p++) {
					for (int id = 0; id < 2; id++)
						if (((volatile int *)place)[p * 1024 + id] != seen[p][id])
							_exit(1);
					((volatile int *)place)[p * 1024 + 8] = n;
				}
				_exit(0);
			}
			int status;
			CHECK_EQ(waitpid(child, &status, 0), child);
			CHECK_EQ(status, 0);
			for (int p = 0; p < PAGES; p++)
				CHECK_EQ(((volatile int *)place)[p * 1024 + 8], 0);
		}
		/* Moved away, pages keep their content, and no write reaches them through the old place. */
		CHECK(mremap(place, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
		for (int p = 0; p < PAGES; p++)
			for (int id = 0; id < 2; id++)
				seen[p][id] = ((volatile int *)elsewhere)[p * 1024 + id];
		map_place();
		round_number = n + 1000000;
		give_time();
		for (int p = 0; p < PAGES; p++)
			for (int id = 0; id < 2; id++)
				CHECK_EQ(((volatile int *)elsewhere)[p * 1024 + id], seen[p][id]);
		CHECK_EQ(madvise(elsewhere, PAGES * PAGE, MADV_DONTNEED), 0);
		for (int p = 0; p < PAGES; p++)
			for (int id = 0; id < 2; id++)
				CHECK_EQ(((volatile int *)elsewhere)[p * 1024 + id], 0);
		round_number = n;
	}
	over = 1;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(bad, 0);
	return 0;
}
