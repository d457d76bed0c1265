/*
 * The idle time in /proc/uptime does not go back while CPUs fall idle and wake, but for a hundredth of a second or two: Linux reads the
 * count of a CPU that wakes at that moment without a lock.
 */
#include "nos_test.h"

static long long hundredths(const char *text)
{
	int whole, part;
	CHECK_EQ(sscanf(text, "%d.%2d", &whole, &part), 2);
	return whole * 100LL + part;
}

int main(void)
{
	pid_t sleepers[3];
	for (int i = 0; i < 3; i++) {
		sleepers[i] = (pid_t)OK(fork());
		for (; sleepers[i] == 0;)
			usleep(100 + 77 * i);
	}
	char text[64];
	int fd = (int)OK(open("/proc/uptime", O_RDONLY));
	long long idle = 0, up = 0, start = 0;
	do {
		ssize_t length = OK(pread(fd, text, sizeof text - 1, 0));
		text[length] = '\0';
		long long now = hundredths(text), now_idle = hundredths(strchr(text, ' '));
		CHECK(now >= up);
		CHECK(now_idle >= idle - 2);
		up = now;
		idle = now_idle > idle ? now_idle : idle;
		start = start ? start : up;
	} while (up - start < 200);
	for (int i = 0; i < 3; i++)
		OK(kill(sleepers[i], SIGKILL));
	return 0;
}
