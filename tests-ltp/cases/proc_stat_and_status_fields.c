/* /proc/<pid>/stat has its 52 fields, status its lines, and they agree with the system calls. */
#include "nos_test.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static long long field(const char *name)
{
	char line[64];
	char *status = test_read_file("/proc/self/status");
	snprintf(line, sizeof line, "\n%s:\t", name);
	char *at = strstr(status, line);
	if (!at)
		FAIL("no line %s", name);
	return strtoll(at + strlen(line), NULL, 0);
}

int main(void)
{
	/* A shell may have had us started with signals ignored. */
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	OK(prctl(PR_SET_NAME, "a) b\\c (d"));
	OK(setpriority(PRIO_PROCESS, 0, 5));
	char *stat = test_read_file("/proc/self/stat");
	char *rest = strrchr(stat, ')');
	CHECK(rest);
	CHECK(strstr(stat, " (a) b\\c (d) "));
	CHECK_EQ(stat[strlen(stat) - 1], '\n');
	long long values[64];
	char state;
	int count = 0;
	char *at = rest + 2;
	state = *at++;
	CHECK_EQ(state, 'R');
	while (*at == ' ') {
		char *end;
		values[4 + count++] = (long long)strtoull(at, &end, 10);
		at = end;
	}
	CHECK_EQ(count, 49);
	CHECK_EQ(values[4], getppid());
	CHECK_EQ(values[5], getpgrp());
	CHECK_EQ(values[6], getsid(0));
	CHECK_EQ(values[18], 25); /* priority */
	CHECK_EQ(values[19], 5); /* nice */
	CHECK_EQ(values[20], 1); /* threads */
	CHECK(values[23] >= 4096); /* bytes of address space */
	CHECK_EQ(values[38], SIGCHLD);
	CHECK(strncmp(test_read_file("/proc/self/status"), "Name:\ta) b\\\\c (d\n", 17) == 0);
	CHECK_EQ(field("Pid"), getpid());
	CHECK_EQ(field("Tgid"), getpid());
	CHECK_EQ(field("PPid"), getppid());
	CHECK_EQ(field("Uid"), getuid());
	CHECK_EQ(field("Threads"), 1);
	CHECK(field("VmSize") >= field("VmRSS"));
	CHECK(field("FDSize") >= 64);
	OK(umask(027));
	CHECK_EQ(field("Umask"), 027);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR2, SIG_IGN);
	raise(SIGUSR1);
	CHECK(strstr(test_read_file("/proc/self/status"), "SigBlk:\t0000000000000200\n"));
	CHECK(strstr(test_read_file("/proc/self/status"), "SigIgn:\t0000000000000800\n"));
	CHECK(strstr(test_read_file("/proc/self/status"), "SigPnd:\t0000000000000200\n"));
	CHECK_STR(test_read_file("/proc/self/comm"), "a) b\\c (d\n");
	test_write_file("/proc/self/comm", "new name");
	CHECK_STR(test_read_file("/proc/self/comm"), "new name\n");
	return 0;
}
