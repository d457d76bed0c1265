/* A thread that names a sequence which cannot be right dies of SIGSEGV, whatever it does about that signal. */
#include "nos_rseq.h"

static struct rseq_area area;
static struct rseq_sequence sequence;

static void handler(int signal)
{
	(void)signal;
}

/* A code address with the right signature in front. */
__asm__(".text\n\t.long " RSEQ_SIGNATURE_TEXT "\ngood_abort:\n\tud2\n\t.long 0\nbad_abort:\n\tud2\n");
extern char good_abort[], bad_abort[];

/* How a child ends that is interrupted by a signal with this in its structure. */
static int ends(uint64_t pointer, uint32_t flags)
{
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		struct sigaction action = { .sa_handler = handler };
		OK(sigaction(SIGSEGV, &action, NULL));
		OK(sigaction(SIGUSR1, &action, NULL));
		rseq_register(&area);
		area.flags = flags;
		area.sequence = pointer;
		OK(kill(getpid(), SIGUSR1));
		_exit(0);
	}
	return test_wait(child);
}

static void restore(void)
{
	/* Somewhere else than where the thread is. */
	sequence = (struct rseq_sequence){ .start = 0x10000, .length = 16, .abort = (uint64_t)good_abort };
}

#define DIES(pointer) CHECK_EQ(ends((uint64_t)(pointer), 0) & 0x7f, SIGSEGV)

int main(void)
{
	restore();
	CHECK_EQ(ends(0, 0), 0);
	/* Not within it: it is forgotten. */
	CHECK_EQ(ends((uint64_t)&sequence, 0), 0);
	DIES(UNMAPPED_ADDRESS);
	DIES(KERNEL_ADDRESS);
	sequence.abort = (uint64_t)bad_abort;
	DIES(&sequence);
	sequence.abort = 0x10000;
	DIES(&sequence);
	sequence.abort = (uint64_t)KERNEL_ADDRESS;
	DIES(&sequence);
	restore();
	sequence.version = 1;
	DIES(&sequence);
	restore();
	sequence.length = -1ull;
	DIES(&sequence);
	restore();
	sequence.start = (uint64_t)KERNEL_ADDRESS;
	DIES(&sequence);

	/* The structure itself is not there any more. */
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		struct rseq_area *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(page != MAP_FAILED);
		rseq_register(page);
		OK(munmap(page, 4096));
		struct sigaction action = { .sa_handler = handler };
		OK(sigaction(SIGUSR1, &action, NULL));
		OK(kill(getpid(), SIGUSR1));
		_exit(0);
	}
	CHECK_EQ(test_wait(child) & 0x7f, SIGSEGV);
	return 0;
}
