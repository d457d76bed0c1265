/*
 * What the threads of one process do at once that share nothing but the process.
 *
 *   threads WHAT COUNT   COUNT threads (0: one for each CPU), each tied to a CPU, do WHAT for a quarter of a second, while the other CPUs do
 *                        nothing but count; prints `rate N`: how often all of them did it in a second
 *
 * The rates of one thread and of two, on a machine with two CPUs, say how much of a system call or a page fault is in the other's way. No CPU
 * idles: it might zero pages for the others, say.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FUTEX_WAKE_PRIVATE 129
#define SECOND 1000000000LL
#define LENGTH (SECOND / 4)
#define MOST_THREADS 64
#define PAGE 4096
/* Pages that a thread touches before it gives them all up. */
#define PAGES 2048
#define AT_ONCE 64

/* What a thread uses, on lines of its own. */
struct own {
	int ends[2], file, word;
	char *memory;
	long page;
	double rate;
} __attribute__((aligned(256)));

static struct own owns[MOST_THREADS];
static void (*what)(struct own *);
static int arrived, ended, count;

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static void fail(const char *text)
{
	fprintf(stderr, "threads: %s: %s\n", text, strerror(errno));
	exit(1);
}

static void ask(struct own *own)
{
	(void)own;
	syscall(SYS_getppid);
}

static void wake_nobody(struct own *own)
{
	syscall(SYS_futex, &own->word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static void pass_byte(struct own *own)
{
	char byte = 0;
	if (write(own->ends[1], &byte, 1) != 1 || read(own->ends[0], &byte, 1) != 1)
		fail("pipe");
}

static void read_byte(struct own *own)
{
	char byte;
	if (pread(own->file, &byte, 1, 0) != 1)
		fail("pread");
}

static void touch(struct own *own)
{
	if (own->page == PAGES) {
		own->page = 0;
		if (madvise(own->memory, (size_t)PAGES * PAGE, MADV_DONTNEED) != 0)
			fail("madvise");
	}
	((volatile char *)own->memory)[own->page++ * PAGE] = 1;
}

static const struct {
	const char *name;
	void (*call)(struct own *);
} kinds[] = {
	{ "getppid", ask }, { "futex", wake_nobody }, { "pipe", pass_byte }, { "pread", read_byte }, { "fault", touch },
};

static void *work(void *argument)
{
	int me = (int)(long)argument;
	struct own *own = &owns[me];
	cpu_set_t cpu;
	CPU_ZERO(&cpu);
	CPU_SET(me, &cpu);
	if (sched_setaffinity(0, sizeof cpu, &cpu) != 0)
		fail("sched_setaffinity");
	__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < count)
		sched_yield();
	long long begin = now(), end;
	long times = 0;
	do {
		for (int i = 0; i < AT_ONCE; i++)
			what(own);
		times += AT_ONCE;
		end = now();
	} while (end - begin < LENGTH);
	own->rate = times * 1e9 / (end - begin);
	__atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

static void *keep_busy(void *argument)
{
	cpu_set_t cpu;
	CPU_ZERO(&cpu);
	CPU_SET((int)(long)argument, &cpu);
	if (sched_setaffinity(0, sizeof cpu, &cpu) != 0)
		fail("sched_setaffinity");
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < count)
		;
	return NULL;
}

static void prepare(struct own *own)
{
	static int number;
	char name[16];
	snprintf(name, sizeof name, "own%d", number++);
	own->file = open(name, O_RDWR | O_CREAT, 0600);
	if (own->file < 0 || write(own->file, "x", 1) != 1)
		fail(name);
	if (pipe(own->ends) != 0)
		fail("pipe");
	own->memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A page a fault. A kernel without huge pages does not know the advice. */
	if (own->memory == MAP_FAILED || (madvise(own->memory, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE) != 0 && errno != EINVAL))
		fail("mmap");
}

int main(int words, char **word)
{
	pthread_t threads[MOST_THREADS];
	double sum = 0;
	for (unsigned i = 0; words == 3 && i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(word[1], kinds[i].name) == 0)
			what = kinds[i].call;
	if (!what) {
		fprintf(stderr, "usage: threads getppid|futex|pipe|pread|fault COUNT\n");
		return 2;
	}
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > MOST_THREADS)
		cpus = MOST_THREADS;
	count = atoi(word[2]);
	if (count < 1 || count > cpus)
		count = cpus;
	for (int i = 0; i < count; i++)
		prepare(&owns[i]);
	for (int i = 0; i < cpus; i++)
		if (pthread_create(&threads[i], NULL, i < count ? work : keep_busy, (void *)(long)i) != 0)
			fail("pthread_create");
	for (int i = 0; i < cpus; i++) {
		pthread_join(threads[i], NULL);
		sum += owns[i].rate;
	}
	printf("rate %.1f\n", sum);
	return 0;
}
