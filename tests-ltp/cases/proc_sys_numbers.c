/* /proc/sys: numbers can be set within their limits and take effect; what is read-only stays so for root. */
#include "nos_test.h"
#include <fcntl.h>
#include <sys/mman.h>

static int set(const char *name, const char *value)
{
	int fd = OK(open(name, O_WRONLY));
	ssize_t n = write(fd, value, strlen(value));
	int error = n < 0 ? errno : 0;
	close(fd);
	return error;
}

static void get(const char *name, char *value, size_t size)
{
	int fd = OK(open(name, O_RDONLY));
	value[OK(read(fd, value, size - 1))] = 0;
	close(fd);
}

int main(void)
{
	CHECK_ERRNO(open("/proc/sys/kernel/ostype", O_WRONLY), EACCES);
	CHECK_ERRNO(access("/proc/sys/kernel/ostype", W_OK), EACCES);

	const char *count = "/proc/sys/vm/max_map_count";
	char before[32], now[32];
	get(count, before, sizeof before);
	CHECK_EQ(set(count, "x\n"), EINVAL);
	CHECK_EQ(set(count, "-1\n"), EINVAL);
	CHECK_EQ(set(count, "200\n"), 0);
	get(count, now, sizeof now);
	CHECK_STR(now, "200\n");
	int made = 0;
	while (made < 300 && mmap(NULL, 4096, made % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		made++;
	int error = errno;
	CHECK_EQ(error, ENOMEM);
	CHECK(made > 100 && made < 210);
	CHECK_EQ(set(count, before), 0);

	CHECK_EQ(set("/proc/sys/kernel/pid_max", "10\n"), EINVAL);
	CHECK_EQ(set("/proc/sys/kernel/pid_max", "4194305\n"), EINVAL);
	const char *threads = "/proc/sys/kernel/threads-max";
	get(threads, before, sizeof before);
	CHECK_EQ(set(threads, "100000\n"), 0);
	get(threads, now, sizeof now);
	CHECK_STR(now, "100000\n");
	CHECK_EQ(set(threads, before), 0);
	return 0;
}
