/* A restartable sequence does not survive a signal, a preemption, a move to another CPU, or membarrier(2). */
#include "nos_rseq.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <ucontext.h>

#define REGISTER_PRIVATE_EXPEDITED_RSEQ (1 << 8)
#define PRIVATE_EXPEDITED_RSEQ (1 << 7)
#define FLAG_CPU 1

static struct rseq_area area;
static volatile uint64_t handler_saw, handler_found;
static atomic_int stop;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	handler_saw = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	handler_found = area.sequence;
}

/* The handler already sees the thread at its abort handler, and no sequence. */
static void by_a_signal(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	OK(sigaction(SIGALRM, &action, NULL));
	for (int i = 0; i < 20; i++) {
		struct itimerval soon = { .it_value.tv_usec = 2000 };
		handler_saw = 0;
		handler_found = 1;
		OK(setitimer(ITIMER_REAL, &soon, NULL));
		rseq_spin(&area);
		while (!handler_saw)
			;
		CHECK_EQ(handler_found, 0);
		CHECK_EQ(area.sequence, 0);
	}
}

static void *hog(void *cpu)
{
	rseq_pin((int)(long)cpu);
	while (!atomic_load(&stop))
		;
	return NULL;
}

static void by_preemption(int cpu)
{
	pthread_t other;
	rseq_pin(cpu);
	CHECK_EQ(pthread_create(&other, NULL, hog, (void *)(long)cpu), 0);
	for (int i = 0; i < 10; i++)
		rseq_spin(&area);
	atomic_store(&stop, 1);
	CHECK_EQ(pthread_join(other, NULL), 0);
}

struct mover {
	pid_t tid;
	int *cpus, count;
};

static void *move(void *argument)
{
	struct mover *mover = argument;
	for (int i = 0; !atomic_load(&stop); i++) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(mover->cpus[i % mover->count], &set);
		OK(sched_setaffinity(mover->tid, sizeof set, &set));
		usleep(1000);
	}
	return NULL;
}

static void by_moving(int *cpus, int count)
{
	struct mover mover = { gettid(), cpus, count };
	pthread_t other;
	atomic_store(&stop, 0);
	CHECK_EQ(pthread_create(&other, NULL, move, &mover), 0);
	for (int i = 0; i < 20; i++)
		rseq_spin(&area);
	atomic_store(&stop, 1);
	CHECK_EQ(pthread_join(other, NULL), 0);
}

static void *barriers(void *argument)
{
	int *cpus = argument;
	rseq_pin(cpus[1]);
	for (int i = 0; !atomic_load(&stop); i++) {
		if (i & 1)
			OK(syscall(SYS_membarrier, PRIVATE_EXPEDITED_RSEQ, 0, 0));
		else
			OK(syscall(SYS_membarrier, PRIVATE_EXPEDITED_RSEQ, FLAG_CPU, cpus[0]));
	}
	return NULL;
}

static void by_barriers(int *cpus)
{
	pthread_t other;
	CHECK_ERRNO(syscall(SYS_membarrier, PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
	OK(syscall(SYS_membarrier, REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	atomic_store(&stop, 0);
	rseq_pin(cpus[0]);
	CHECK_EQ(pthread_create(&other, NULL, barriers, cpus), 0);
	for (int i = 0; i < 100; i++)
		rseq_spin(&area);
	atomic_store(&stop, 1);
	CHECK_EQ(pthread_join(other, NULL), 0);
}

int main(void)
{
	int cpus[64], count = rseq_cpus(cpus, 64);
	rseq_register(&area);
	by_a_signal();
	by_preemption(cpus[0]);
	if (count > 1) {
		by_moving(cpus, count);
		by_barriers(cpus);
	}
	return 0;
}
