/*
 * What process_vm_writev and /proc/<pid>/mem write to a process that forks meanwhile, or clears its pages' marks, and writes to the
 * same page itself, is there for it afterwards.
 */
#include "nos_test.h"
#include <sched.h>
#include <sys/uio.h>

#define PAGE 4096
/* Microseconds that it takes. */
#define TIME 3000000
#define END (-1)

/* Of one page: what is written from outside, how often, and what the process writes itself. */
struct page {
	volatile long from_outside[PAGE / sizeof(long) - 1];
	volatile long own;
};

static struct page *page;
static volatile long *asked, *done;

static void disturb(long round)
{
	if (round % 4 == 2) {
		int fd = open("/proc/self/clear_refs", O_WRONLY);
		if (fd >= 0) {
			CHECK_EQ(write(fd, "4", 1), 1);
			OK(close(fd));
		}
	} else {
		pid_t child = (pid_t)OK(fork());
		if (child == 0)
			_exit(0);
		page->own++;
		CHECK_EQ(OK(waitpid(child, NULL, 0)), child);
	}
	page->own++;
}

static void write_from_outside(pid_t pid, int mem, long round)
{
	static long bytes[PAGE / sizeof(long) - 1];
	for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
		bytes[i] = round;
	struct iovec from = { bytes, sizeof bytes }, to = { page, sizeof bytes };
	if (round % 2)
		CHECK_EQ(process_vm_writev(pid, &from, 1, &to, 1, 0), (long)sizeof bytes);
	else
		CHECK_EQ(pwrite(mem, bytes, sizeof bytes, (off_t)(uintptr_t)page), (long)sizeof bytes);
}

int main(void)
{
	volatile long *words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(words != MAP_FAILED && page != MAP_FAILED);
	asked = &words[0];
	done = &words[1];
	page->own = 1;
	pid_t parent = getpid();
	pid_t writer = (pid_t)OK(fork());
	if (writer == 0) {
		char name[32];
		snprintf(name, sizeof name, "/proc/%d/mem", (int)parent);
		int mem = (int)OK(open(name, O_RDWR));
		for (long round = 1; *asked != END; round++) {
			while (*asked < round && *asked != END)
				sched_yield();
			write_from_outside(parent, mem, round);
			*done = round;
		}
		_exit(0);
	}
	int64_t end = test_now() + TIME;
	for (long round = 1; test_now() < end; round++) {
		*asked = round;
		do
			disturb(round);
		while (*done < round);
		for (size_t i = 0; i < sizeof page->from_outside / sizeof *page->from_outside; i++)
			if (page->from_outside[i] != round)
				FAIL("round %ld: word %zu is %ld", round, i, page->from_outside[i]);
	}
	*asked = END;
	int status;
	CHECK_EQ(OK(waitpid(writer, &status, 0)), writer);
	CHECK_EQ(status, 0);
	return 0;
}
