/*
 * What the growth programs share. Each is started with the sizes to measure at as its arguments, smallest first, and prints for every
 * size and every operation that it measures one line on standard output:
 *
 *   NAME SIZE NANOSECONDS        what one operation costs when there are SIZE of the things that NAME is about
 *   NAME SIZE missing REASON     why that cannot be had here
 *
 * A cost is the median of several rounds. With QEMU's instruction counting a nanosecond is one guest instruction.
 */
#ifndef GROWTH_H
#define GROWTH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static inline uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline void print_line(const char *format, ...)
{
	char line[256];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(1);
}

static inline void print_cost(const char *name, unsigned long size, double nanoseconds)
{
	print_line("%s %lu %.1f\n", name, size, nanoseconds);
}

/* Says why NAME cannot be measured at SIZE; `what` failed with `errno`. */
static inline void print_missing(const char *name, unsigned long size, const char *what)
{
	print_line("%s %lu missing %s: %s\n", name, size, what, strerror(errno));
}

/* Ends the program: an operation that must succeed has failed, so that no figure would mean anything. */
static inline void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static inline int by_value(const void *one, const void *other)
{
	double left = *(const double *)one, right = *(const double *)other;
	return (left > right) - (left < right);
}

static inline double median(double *values, size_t count)
{
	qsort(values, count, sizeof *values, by_value);
	return values[count / 2];
}

/* The cost of one operation: the median of rounds of `count`, after one that does not count. */
static inline double cost_of(void (*operation)(void), unsigned long count)
{
	double rounds[ROUNDS];
	for (int round = -1; round < ROUNDS; round++) {
		uint64_t start = now();
		for (unsigned long i = 0; i < count; i++)
			operation();
		uint64_t end = now();
		if (round >= 0)
			rounds[round] = (double)(end - start) / (double)count;
	}
	return median(rounds, ROUNDS);
}

/* The next of a fixed sequence of numbers below `bound` (Numerical Recipes' generator, its upper half). */
static inline unsigned long below(unsigned long bound)
{
	static uint64_t state = 1;
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned long)(state >> 33) % bound;
}

static inline unsigned long size_of(const char *argument)
{
	char *end;
	unsigned long size = strtoul(argument, &end, 10);
	if (*end || !size) {
		fprintf(stderr, "not a size: %s\n", argument);
		_exit(2);
	}
	return size;
}

/* Writes a kernel setting where the kernel has it; what it then cannot do shows as a missing size. */
static inline void set_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		write(fd, value, strlen(value));
		close(fd);
	}
}

static inline void raise_limit(int resource, rlim_t value)
{
	struct rlimit limit = { .rlim_cur = value, .rlim_max = value };
	setrlimit(resource, &limit);
}

/* Lets there be many processes. */
static inline void raise_process_limits(void)
{
	set_sysctl("/proc/sys/kernel/pid_max", "4194304");
	set_sysctl("/proc/sys/kernel/threads-max", "1000000");
	raise_limit(RLIMIT_NPROC, RLIM_INFINITY);
}

/* What a process of the crowd does for ever: one system call, and count it. */
struct crowd_call {
	long number, first, second, third;
	unsigned long *count;
};

#define CROWD_PROCESS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD)
#define CROWD_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/*
 * Starts one of the crowd: a process (or thread, as the flags say) that shares this one's memory, so that a hundred thousand of them
 * need nothing but the kernel's own. It runs on no stack at all: what it needs is in registers.
 */
static inline pid_t start_one(unsigned long flags, const struct crowd_call *call)
{
	long result;
	register long number __asm__("rbx") = call->number;
	register long first __asm__("r12") = call->first;
	register long second __asm__("r13") = call->second;
	register long third __asm__("r14") = call->third;
	register unsigned long *count __asm__("r15") = call->count;
	register long fourth __asm__("r10") = 0;
	register long fifth __asm__("r8") = 0;
	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 2f\n"
			 "1:\n\t"
			 "movq %[number], %%rax\n\t"
			 "movq %[first], %%rdi\n\t"
			 "movq %[second], %%rsi\n\t"
			 "movq %[third], %%rdx\n\t"
			 "xorl %%r10d, %%r10d\n\t"
			 "syscall\n\t"
			 "lock incq (%[count])\n\t"
			 "jmp 1b\n"
			 "2:"
			 : "=a"(result), "+r"(fourth), "+r"(fifth)
			 : "a"((long)SYS_clone), "D"(flags), "S"(0L), "d"(0L), [number] "r"(number), [first] "r"(first),
			   [second] "r"(second), [third] "r"(third), [count] "r"(count)
			 : "rcx", "r11", "cc", "memory");
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return (pid_t)result;
}

/* The crowd so far: it only grows. */
static unsigned long crowd_size, crowd_turns;

/* Makes the crowd `size` sleepers strong and stores their ids, unless `ids` is NULL; 0, or -1 with errno. */
static inline int grow_crowd_of_sleepers(unsigned long flags, unsigned long size, pid_t *ids)
{
	struct crowd_call sleep = { .number = SYS_pause, .count = &crowd_turns };
	for (; crowd_size < size; crowd_size++) {
		pid_t id = start_one(flags, &sleep);
		if (id < 0)
			return -1;
		if (ids)
			ids[crowd_size] = id;
		/* They fall asleep as they come. */
		if (crowd_size % 64 == 0)
			sched_yield();
	}
	sched_yield();
	return 0;
}

#endif
