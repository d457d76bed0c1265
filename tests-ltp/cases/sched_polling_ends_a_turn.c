/*
 * On one CPU, a task that wakes another and then polls for what that one does about it does not poll to the end of its time: the two meet
 * thousands of times a second, by futex and by poll, select and epoll_wait that do not wait.
 */
#include "nos_test.h"
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/select.h>

static uint32_t *word;
static int question[2], answer[2], set;

/* Wakes the waiter, and polls until it waits again. */
static void by_futex(void)
{
	while (OK(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0)) == 0)
		;
}

static void ask(void)
{
	CHECK_EQ(write(question[1], "?", 1), 1);
}

static void take(void)
{
	char byte;
	CHECK_EQ(read(answer[0], &byte, 1), 1);
}

static void by_poll(void)
{
	struct pollfd fd = { answer[0], POLLIN, 0 };
	ask();
	while (OK(poll(&fd, 1, 0)) == 0)
		;
	take();
}

static void by_select(void)
{
	int found;
	ask();
	do {
		struct timeval none = { 0, 0 };
		fd_set fds;
		FD_ZERO(&fds);
		FD_SET(answer[0], &fds);
		found = (int)OK(select(answer[0] + 1, &fds, NULL, NULL, &none));
	} while (found == 0);
	take();
}

static void by_epoll(void)
{
	struct epoll_event event;
	ask();
	while (OK(epoll_wait(set, &event, 1, 0)) == 0)
		;
	take();
}

/* How often a second: the best of some tries, as the host may do something else. */
static long rate_of(void (*meet)(void))
{
	long best = 0;
	for (int round = 0; round < 8 && best < 3000; round++) {
		long met = 0;
		int64_t begin = test_now(), end;
		do {
			meet();
			met++;
			end = test_now();
		} while (end - begin < 250000);
		long rate = (long)(met * 1000000 / (end - begin));
		best = rate > best ? rate : best;
	}
	return best;
}

static void check_rate(const char *name, void (*meet)(void))
{
	long rate = rate_of(meet);
	printf("%s: %ld times a second\n", name, rate);
	/* With a turn of 750 us between two times it would be 1,333. */
	CHECK(rate >= 3000);
}

int main(void)
{
	cpu_set_t cpu;
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	OK(sched_setaffinity(0, sizeof cpu, &cpu));
	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(word != MAP_FAILED);
	OK(pipe(question));
	OK(pipe(answer));
	set = (int)OK(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	OK(epoll_ctl(set, EPOLL_CTL_ADD, answer[0], &event));

	pid_t waiter = (pid_t)OK(fork());
	if (waiter == 0)
		for (;;)
			syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	check_rate("futex", by_futex);
	OK(kill(waiter, SIGKILL));
	CHECK_EQ(OK(waitpid(waiter, NULL, 0)), waiter);

	pid_t answering = (pid_t)OK(fork());
	if (answering == 0) {
		char byte;
		while (read(question[0], &byte, 1) == 1)
			CHECK_EQ(write(answer[1], &byte, 1), 1);
		_exit(0);
	}
	check_rate("poll", by_poll);
	check_rate("select", by_select);
	check_rate("epoll", by_epoll);
	OK(kill(answering, SIGKILL));
	CHECK_EQ(OK(waitpid(answering, NULL, 0)), answering);
	return 0;
}
