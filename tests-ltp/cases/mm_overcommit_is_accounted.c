/* Committed_AS counts what was promised to processes: private writable and shared memory, not MAP_NORESERVE, and pages of files in memory. */
#include "nos_test.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE (64L << 20)
/* What others may do meanwhile, in KiB. */
#define NOISE 1024

static long before;

static long committed(void)
{
	const char *line = strstr(test_read_file("/proc/meminfo"), "Committed_AS:");
	CHECK(line != NULL);
	return strtol(line + strlen("Committed_AS:"), NULL, 10);
}

/* The sum has changed by so many bytes since `before` was noted. */
static void changed_by(const char *what, long bytes)
{
	long change = committed() - before;
	if (change < bytes / 1024 - NOISE || change > bytes / 1024 + NOISE)
		FAIL("%s: changed by %ld KiB, not %ld", what, change, bytes / 1024);
}

static char *map(int prot, int flags)
{
	char *memory = mmap(NULL, SIZE, prot, flags | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

static void a_child(const char *what, long bytes)
{
	CHILD(changed_by(what, bytes));
}

int main(void)
{
	before = committed();
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	changed_by("private", SIZE);
	a_child("a copy of it", 2 * SIZE);
	changed_by("when the child has gone", SIZE);
	OK(munmap(memory, SIZE / 2));
	changed_by("half of it gone", SIZE / 2);
	OK(mprotect(memory + SIZE / 2, SIZE / 2, PROT_NONE));
	changed_by("protected before it was touched", 0);
	OK(mprotect(memory + SIZE / 2, SIZE / 2, PROT_READ | PROT_WRITE));
	memory[SIZE / 2] = 1;
	OK(mprotect(memory + SIZE / 2, SIZE / 2, PROT_NONE));
	changed_by("protected", SIZE / 2);
	memory = mremap(memory + SIZE / 2, SIZE / 2, SIZE, MREMAP_MAYMOVE);
	CHECK(memory != MAP_FAILED);
	changed_by("grown", SIZE);
	memory = mremap(memory, SIZE, SIZE / 4, 0);
	CHECK(memory != MAP_FAILED);
	changed_by("shrunk", SIZE / 4);
	OK(munmap(memory, SIZE / 4));
	changed_by("gone", 0);

	memory = map(PROT_READ, MAP_PRIVATE);
	changed_by("read-only", 0);
	OK(mprotect(memory, SIZE / 2, PROT_READ | PROT_WRITE));
	changed_by("half of it made writable", SIZE / 2);
	CHECK(mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
	changed_by("replaced", SIZE);
	OK(munmap(memory, SIZE));
	changed_by("gone", 0);

	memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
	changed_by("not reserved", 0);
	OK(mprotect(memory, SIZE, PROT_READ));
	OK(mprotect(memory, SIZE, PROT_READ | PROT_WRITE));
	changed_by("still not reserved", 0);
	memset(memory, 1, SIZE / 4);
	changed_by("written", 0);
	OK(munmap(memory, SIZE));

	memory = map(PROT_READ | PROT_WRITE, MAP_SHARED);
	changed_by("shared", SIZE);
	a_child("shared with a child", SIZE);
	OK(munmap(memory, SIZE / 2));
	changed_by("half of it still mapped", SIZE);
	OK(munmap(memory + SIZE / 2, SIZE / 2));
	changed_by("gone", 0);

	memory = map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE);
	changed_by("shared and not reserved", 0);
	memset(memory, 1, SIZE / 4);
	changed_by("shared pages", SIZE / 4);
	OK(munmap(memory, SIZE));
	changed_by("gone", 0);

	long end = syscall(SYS_brk, 0);
	CHECK_EQ(syscall(SYS_brk, end + SIZE), end + SIZE);
	changed_by("heap", SIZE);
	CHECK_EQ(syscall(SYS_brk, end), end);
	changed_by("gone", 0);

	int fd = (int)OK(memfd_create("promised", 0));
	OK(ftruncate(fd, SIZE));
	changed_by("an empty file", 0);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	changed_by("mapped", 0);
	memset(memory, 1, SIZE / 4);
	changed_by("its pages", SIZE / 4);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, SIZE / 8));
	changed_by("some of its pages", SIZE / 8);
	OK(munmap(memory, SIZE));
	OK(close(fd));
	usleep(100000);
	changed_by("gone", 0);

	int id = (int)OK(shmget(IPC_PRIVATE, SIZE, 0600));
	changed_by("segment", SIZE);
	memory = shmat(id, NULL, 0);
	CHECK(memory != (void *)-1);
	memset(memory, 1, SIZE / 4);
	changed_by("attached and written", SIZE);
	OK(shmctl(id, IPC_RMID, NULL));
	OK(shmdt(memory));
	usleep(100000);
	changed_by("gone", 0);
	return 0;
}
