/* membarrier(2): which commands there are, that they must be announced, and who inherits the announcement. */
#include "nos_test.h"

#define GLOBAL 1
#define GET_REGISTRATIONS (1 << 9)
#define FLAG_CPU 1

/* A command, the command that announces it, and what the announcement says of itself. */
static const struct {
	int command, announce, registered;
} kinds[] = {
	{ 1 << 7, 1 << 8, 1 << 8 | 1 << 4 },
	{ 1 << 5, 1 << 6, 1 << 6 | 1 << 4 },
	{ 1 << 3, 1 << 4, 1 << 4 },
};

static int has_registrations;

static long membarrier(int command, unsigned flags, int cpu)
{
	return syscall(SYS_membarrier, command, flags, cpu);
}

static void registered(int expected)
{
	if (has_registrations)
		CHECK_EQ(OK(membarrier(GET_REGISTRATIONS, 0, 0)), expected);
}

int main(int count, char **arguments)
{
	(void)arguments;
	int all = (int)OK(membarrier(0, 0, 0)), expected = 0;
	has_registrations = all & GET_REGISTRATIONS;
	CHECK_EQ(all & 0x1ff, 0x1ff);
	for (int i = 0; i < 3; i++)
		CHECK_ERRNO(membarrier(kinds[i].command, 0, 0), EPERM);
	if (count > 1)
		return 0;
	CHECK_ERRNO(membarrier(1 << 20, 0, 0), EINVAL);
	CHECK_ERRNO(membarrier(3, 0, 0), EINVAL);
	CHECK_ERRNO(membarrier(0, 1, 0), EINVAL);
	CHECK_ERRNO(membarrier(1 << 3, FLAG_CPU, 0), EINVAL);
	CHECK_ERRNO(membarrier(1 << 7, 2, 0), EINVAL);
	registered(0);
	OK(membarrier(GLOBAL, 0, 0));
	/* Everybody may send these, announced or not. */
	OK(membarrier(1 << 1, 0, 0));
	for (int i = 0; i < 3; i++) {
		OK(membarrier(kinds[i].announce, 0, 0));
		expected |= kinds[i].registered;
		registered(expected);
		OK(membarrier(kinds[i].command, 0, 0));
		for (int later = i + 1; later < 3; later++)
			CHECK_ERRNO(membarrier(kinds[later].command, 0, 0), EPERM);
	}
	OK(membarrier(1 << 7, FLAG_CPU, 0));
	OK(membarrier(1 << 7, FLAG_CPU, 1 << 20));
	OK(membarrier(1 << 2, 0, 0));
	registered(expected | 1 << 2);
	CHILD({
		registered(expected | 1 << 2);
		for (int i = 0; i < 3; i++)
			OK(membarrier(kinds[i].command, 0, 0));
	});
	CHILD(execl("/proc/self/exe", "self", "again", (char *)NULL); _exit(1));
	return 0;
}
