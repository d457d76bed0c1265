/* vm.overcommit_memory: 0 refuses what could never be had, 1 nothing, 2 all above a limit. */
#include "nos_test.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#define VM "/proc/sys/vm/"
#define MIB (1L << 20)

static void set(const char *name, long value)
{
	char path[64], text[32];
	snprintf(path, sizeof path, VM "%s", name);
	snprintf(text, sizeof text, "%ld\n", value);
	int fd = (int)OK(open(path, O_WRONLY));
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

static int try_to_set(const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, VM "%s", name);
	int fd = (int)OK(open(path, O_WRONLY));
	int result = write(fd, text, strlen(text)) < 0 ? errno : 0;
	OK(close(fd));
	return result;
}

static long get(const char *name)
{
	char path[64];
	snprintf(path, sizeof path, VM "%s", name);
	return strtol(test_read_file(path), NULL, 10);
}

static long meminfo(const char *name)
{
	const char *line = strstr(test_read_file("/proc/meminfo"), name);
	CHECK(line != NULL);
	return strtol(line + strlen(name), NULL, 10) * 1024;
}

static void *map(long size, int prot, int flags)
{
	return mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);
}

static void mapped(long size, int prot, int flags)
{
	void *memory = map(size, prot, flags);
	CHECK(memory != MAP_FAILED);
	OK(munmap(memory, size));
}

static void refused(long size, int prot, int flags)
{
	errno = 0;
	CHECK(map(size, prot, flags) == MAP_FAILED && errno == ENOMEM);
}

static void guess(long total)
{
	refused(total + 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	refused(total + 64 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
	refused(total + 64 * MIB, PROT_READ, MAP_SHARED);
	mapped(total + 64 * MIB, PROT_READ, MAP_PRIVATE);
	mapped(total + 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
	mapped(total + 64 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE);
	void *first = map(total - 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK(first != MAP_FAILED);
	mapped(total - 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	OK(munmap(first, total - 64 * MIB));
}

/* With room for 64 MiB in all. */
static void within_limit(void)
{
	int rw = PROT_READ | PROT_WRITE;
	refused(96 * MIB, rw, MAP_PRIVATE);
	refused(96 * MIB, rw, MAP_PRIVATE | MAP_NORESERVE);
	refused(96 * MIB, rw, MAP_SHARED);
	mapped(96 * MIB, PROT_READ, MAP_PRIVATE);
	mapped(40 * MIB, rw, MAP_SHARED);

	char *memory = map(40 * MIB, rw, MAP_PRIVATE);
	CHECK(memory != MAP_FAILED);
	refused(40 * MIB, rw, MAP_PRIVATE);
	errno = 0;
	CHECK(mremap(memory, 40 * MIB, 80 * MIB, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
	/* What is there already does not count twice. */
	void *place = map(96 * MIB, PROT_NONE, MAP_PRIVATE);
	CHECK(place != MAP_FAILED);
	memory = mremap(memory, 40 * MIB, 44 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	CHECK(memory == place);
	CHECK(mmap(memory, 44 * MIB, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
	CHECK_ERRNO(fork(), ENOMEM);
	OK(munmap(memory, 96 * MIB));

	memory = map(96 * MIB, PROT_READ, MAP_PRIVATE);
	CHECK(memory != MAP_FAILED);
	CHECK_ERRNO(mprotect(memory, 96 * MIB, rw), ENOMEM);
	OK(mprotect(memory, 40 * MIB, rw));
	OK(munmap(memory, 96 * MIB));

	long end = syscall(SYS_brk, 0);
	CHECK_EQ(syscall(SYS_brk, end + 96 * MIB), end);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 96 * MIB, 0600), ENOMEM);
	CHECK_ERRNO(shmget(IPC_PRIVATE, 96 * MIB, 0600 | SHM_NORESERVE), ENOMEM);

	/* Files in memory take promises as they grow. */
	int fd = (int)OK(memfd_create("grows", 0));
	memory = map(40 * MIB, rw, MAP_PRIVATE);
	CHECK(memory != MAP_FAILED);
	CHECK_ERRNO(fallocate(fd, 0, 0, 40 * MIB), ENOSPC);
	OK(munmap(memory, 40 * MIB));
	OK(fallocate(fd, 0, 0, 40 * MIB));
	refused(40 * MIB, rw, MAP_PRIVATE);
	OK(close(fd));
	usleep(100000);
	mapped(40 * MIB, rw, MAP_PRIVATE);
}

int main(void)
{
	if (getuid() != 0)
		SKIP("needs root");
	long total = meminfo("MemTotal:"), ratio = get("overcommit_ratio");
	CHECK_EQ(get("overcommit_memory"), 0);
	CHECK_EQ(get("overcommit_kbytes"), 0);
	CHECK_EQ(ratio, 50);
	CHECK(get("user_reserve_kbytes") > 0 && get("user_reserve_kbytes") <= 1 << 17);
	CHECK(get("admin_reserve_kbytes") > 0 && get("admin_reserve_kbytes") <= 1 << 13);
	CHECK_EQ(try_to_set("overcommit_memory", "3"), EINVAL);
	CHECK_EQ(try_to_set("overcommit_memory", "-1"), EINVAL);
	CHECK_EQ(try_to_set("overcommit_memory", "x"), EINVAL);
	CHECK(labs(meminfo("CommitLimit:") - total / 2) <= 4096);
	guess(total);

	set("overcommit_memory", 1);
	mapped(total + 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	mapped(8 * total, PROT_READ | PROT_WRITE, MAP_SHARED);

	long committed = meminfo("Committed_AS:");
	set("overcommit_kbytes", (committed + 64 * MIB) / 1024);
	CHECK_EQ(get("overcommit_ratio"), 0);
	CHECK_EQ(meminfo("CommitLimit:"), (committed + 64 * MIB) / 4096 * 4096);
	/* So small a process leaves little to others, and has nothing of what is kept for root. */
	set("user_reserve_kbytes", 0);
	set("admin_reserve_kbytes", 40 * 1024);
	/* The child tells by its status, as it cannot fail while it holds memory that its parent wants. */
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		set("overcommit_memory", 2);
		within_limit();
		OK(setuid(1000));
		refused(40 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
		mapped(8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
		_exit(0);
	}
	int status = test_wait(child);
	set("overcommit_memory", 0);
	set("overcommit_ratio", ratio);
	set("user_reserve_kbytes", 32768);
	set("admin_reserve_kbytes", 8192);
	CHECK_EQ(get("overcommit_kbytes"), 0);
	CHECK_EQ(status, 0);
	return 0;
}
