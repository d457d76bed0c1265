/* What cases about rseq(2) need: musl has no <linux/rseq.h>, and registers no thread. */
#ifndef NOS_RSEQ_H
#define NOS_RSEQ_H

#include "nos_test.h"
#include <sched.h>
#include <sys/auxv.h>

#define SYS_RSEQ 334
#define RSEQ_FLAG_UNREGISTER 1
#define RSEQ_SIGNATURE 0x53053053
#define RSEQ_SIGNATURE_TEXT "0x53053053"

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN 28
#endif

struct rseq_area {
	volatile uint32_t cpu_id_start, cpu_id;
	volatile uint64_t sequence;
	uint32_t flags;
	volatile uint32_t node_id, mm_cid;
	uint32_t pad;
} __attribute__((aligned(32)));

struct rseq_sequence {
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

static inline int rseq_call(void *area, uint32_t length, int flags, uint32_t signature)
{
	return (int)syscall(SYS_RSEQ, area, length, flags, signature);
}

static inline void rseq_register(struct rseq_area *area)
{
	OK(rseq_call(area, sizeof *area, 0, RSEQ_SIGNATURE));
}

/* Runs in a sequence for ever: returns when it was aborted. */
static inline void rseq_spin(struct rseq_area *area)
{
	__asm__ volatile(
		"lea 3f(%%rip), %%rax\n\t"
		"mov %%rax, 8(%0)\n"
		"1:\n\t"
		"pause\n\t"
		"jmp 1b\n"
		"2:\n\t"
		".pushsection .data\n\t"
		".balign 32\n"
		"3:\n\t"
		".long 0, 0\n\t"
		".quad 1b, 2b - 1b, 4f\n\t"
		".popsection\n\t"
		".long " RSEQ_SIGNATURE_TEXT "\n"
		"4:\n"
		: : "r"(area) : "rax", "memory");
}

/* Adds 1 to the counter of this CPU; 0 when it was aborted and nothing was added. */
static inline int rseq_count(struct rseq_area *area, long *counters, int stride)
{
	int done = 1;
	uint32_t cpu = area->cpu_id_start;
	__asm__ volatile(
		"lea 3f(%%rip), %%rax\n\t"
		"mov %%rax, 8(%[area])\n"
		"1:\n\t"
		"cmpl %[cpu], 4(%[area])\n\t"
		"jne 4f\n\t"
		"mov (%[counter]), %%rax\n\t"
		"mov $20, %%ecx\n"
		"6:\n\t"
		"dec %%ecx\n\t"
		"jnz 6b\n\t"
		"inc %%rax\n\t"
		"mov %%rax, (%[counter])\n"
		"2:\n\t"
		"jmp 5f\n\t"
		".pushsection .data\n\t"
		".balign 32\n"
		"3:\n\t"
		".long 0, 0\n\t"
		".quad 1b, 2b - 1b, 4f\n\t"
		".popsection\n\t"
		".long " RSEQ_SIGNATURE_TEXT "\n"
		"4:\n\t"
		"xor %[done], %[done]\n"
		"5:\n"
		: [done] "+r"(done)
		: [area] "r"(area), [cpu] "r"(cpu), [counter] "r"(counters + (long)cpu * stride)
		: "rax", "rcx", "memory", "cc");
	return done;
}

static inline void rseq_pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof set, &set));
}

/* The CPUs that the case may run on; their number. */
static inline int rseq_cpus(int cpus[], int most)
{
	cpu_set_t set;
	int count = 0;
	OK(sched_getaffinity(0, sizeof set, &set));
	for (int cpu = 0; cpu < CPU_SETSIZE && count < most; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[count++] = cpu;
	return count;
}

#endif
