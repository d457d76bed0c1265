/*
 * System calls of two threads of a process that touch nothing in common do not wait for each other: on two CPUs there are nearly twice as
 * many of them. Only what is far from that fails, since others may use the processors below.
 */
#include "nos_scale.h"
#include <sys/eventfd.h>

#define FUTEX_WAKE_PRIVATE 129

static void ask_parent(struct own *own)
{
	(void)own;
	syscall(SYS_getppid);
}

static void ask_user(struct own *own)
{
	(void)own;
	syscall(SYS_getuid);
}

static void ask_time(struct own *own)
{
	struct timespec now;
	(void)own;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
}

static void wake_nobody(struct own *own)
{
	syscall(SYS_futex, &own->word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static void pass_byte(struct own *own)
{
	char byte = 0;
	if (write(own->ends[1], &byte, 1) != 1 || read(own->ends[0], &byte, 1) != 1)
		FAIL("the pipe lost a byte");
}

static void count_event(struct own *own)
{
	uint64_t value = 1;
	if (write(own->event, &value, sizeof value) != sizeof value || read(own->event, &value, sizeof value) != sizeof value)
		FAIL("the event was lost");
}

static void read_byte(struct own *own)
{
	char byte;
	if (pread(own->file, &byte, 1, 0) != 1)
		FAIL("the file lost a byte");
}

static const struct kind calls[] = {
	{ "getppid", ask_parent },
	{ "getuid", ask_user },
	{ "clock_gettime", ask_time },
	{ "a futex's wake", wake_nobody },
	{ "a pipe", pass_byte },
	{ "an eventfd", count_event },
	{ "pread", read_byte },
};

int main(void)
{
	for (int i = 0; i < 2; i++) {
		char name[16];
		snprintf(name, sizeof name, "own%d", i);
		test_write_file(name, "x");
		owns[i].file = (int)OK(open(name, O_RDONLY));
		owns[i].event = (int)OK(eventfd(0, 0));
		OK(pipe(owns[i].ends));
	}
	check_scaling(calls, sizeof calls / sizeof *calls);
	return 0;
}
