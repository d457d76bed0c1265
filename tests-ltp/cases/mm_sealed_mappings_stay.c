/* mseal: what is sealed cannot be unmapped, moved, replaced or protected otherwise, nor its content thrown away where it may not be written. */
#include "nos_test.h"
#include <sys/shm.h>

#define PAGE 4096ul
#define SYS_MSEAL 462

static long seal(void *addr, size_t len, unsigned long flags)
{
	return syscall(SYS_MSEAL, addr, len, flags);
}

static char *map(size_t pages, int prot)
{
	char *memory = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

/* `pages` in the middle of memory that is not sealed. */
static char *sealed(size_t pages, int prot)
{
	char *memory = map(pages + 2, prot) + PAGE;
	CHECK_EQ(seal(memory, pages * PAGE, 0), 0);
	return memory;
}

/* Whether the mapping at the address has the flag in smaps. */
static int has_flag(void *addr, const char *flag)
{
	char start[32];
	snprintf(start, sizeof start, "\n%08lx-", (unsigned long)addr);
	char *at = strstr(test_read_file("/proc/self/smaps"), start);
	if (!at)
		FAIL("no mapping starts at %p", addr);
	at = strstr(at, "VmFlags:");
	CHECK(at);
	*strchr(at, '\n') = 0;
	return strstr(at, flag) != NULL;
}

static void arguments(void)
{
	char *memory = map(4, PROT_READ);
	CHECK_ERRNO(seal(memory, PAGE, 1), EINVAL);
	CHECK_ERRNO(seal(memory + 1, PAGE, 0), EINVAL);
	CHECK_ERRNO(seal(memory, -1ul, 0), EINVAL);
	CHECK_ERRNO(seal(memory, -4096ul, 0), EINVAL);
	CHECK_EQ(seal(memory, 0, 0), 0);
	CHECK_EQ(seal(UNMAPPED_ADDRESS - 0x10, 0, 0), 0);
	/* All of it must be mapped; if not, nothing is sealed. */
	OK(munmap(memory + 2 * PAGE, PAGE));
	CHECK_ERRNO(seal(memory, 4 * PAGE, 0), ENOMEM);
	CHECK_ERRNO(seal(memory + 2 * PAGE, PAGE, 0), ENOMEM);
	CHECK_ERRNO(seal(memory + PAGE, 2 * PAGE, 0), ENOMEM);
	OK(mprotect(memory, 2 * PAGE, PROT_NONE));
	/* A part of a page counts as all of it. */
	CHECK_EQ(seal(memory, PAGE + 1, 0), 0);
	CHECK_ERRNO(munmap(memory + PAGE, PAGE), EPERM);
	/* Again is no error. */
	CHECK_EQ(seal(memory, 2 * PAGE, 0), 0);
	CHECK(has_flag(memory, " sl"));
	CHECK(!has_flag(memory + 3 * PAGE, " sl"));
}

static void changes(void)
{
	char *memory = sealed(2, PROT_READ | PROT_WRITE);
	memory[0] = 1;
	CHECK_ERRNO(munmap(memory, PAGE), EPERM);
	CHECK_ERRNO(munmap(memory + PAGE, PAGE), EPERM);
	/* Nothing of the range goes. */
	CHECK_ERRNO(munmap(memory - PAGE, 4 * PAGE), EPERM);
	memory[-1] = memory[2 * PAGE] = 1;
	/* Before it was asked: */
	CHECK_ERRNO(munmap(memory + 1, PAGE), EINVAL);
	CHECK_ERRNO(munmap(memory, 0), EINVAL);

	CHECK_ERRNO(mprotect(memory, PAGE, PROT_READ), EPERM);
	CHECK_ERRNO(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), EPERM);
	CHECK_ERRNO(syscall(SYS_mprotect, memory + 1, PAGE, PROT_READ), EINVAL);
	/* What comes before is changed. */
	CHECK_ERRNO(mprotect(memory - PAGE, 4 * PAGE, PROT_READ), EPERM);
	memory[2 * PAGE] = 2;
	OK(mprotect(memory - PAGE, PAGE, PROT_READ | PROT_WRITE));

	CHECK(mmap(memory, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mmap(memory - PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mmap(memory, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);

	char *other = map(8, PROT_READ);
	CHECK(mremap(memory, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
	CHECK(mremap(memory, 2 * PAGE, PAGE, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mremap(memory, PAGE, PAGE, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mremap(memory, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) == MAP_FAILED && errno == EPERM);
	CHECK(mremap(memory, PAGE, PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */, other) == MAP_FAILED && errno == EPERM);
	CHECK(mremap(memory + 1, PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(memory, PAGE, 0, 0) == MAP_FAILED && errno == EINVAL);
	/* Nor can another take its place. */
	CHECK(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == MAP_FAILED && errno == EPERM);
	CHECK_EQ(other[0], 0);
	/* Shrinking what is not sealed. */
	char *mixed = map(2, PROT_READ | PROT_WRITE);
	CHECK_EQ(seal(mixed + PAGE, PAGE, 0), 0);
	CHECK(mremap(mixed, 2 * PAGE, PAGE, 0) == MAP_FAILED && errno == EPERM);

	/* What changes neither what is there nor what it shows may be. */
	memory[0] = 7;
	OK(mlock(memory, 2 * PAGE));
	OK(munlock(memory, PAGE));
	OK(madvise(memory, PAGE, MADV_RANDOM));
	OK(madvise(memory, 2 * PAGE, MADV_DONTDUMP));
	OK(msync(memory, PAGE, MS_SYNC));
	CHECK_EQ(memory[0], 7);
	CHECK_ERRNO(munmap(memory, PAGE), EPERM);
	CHECK_ERRNO(munmap(memory + PAGE, PAGE), EPERM);
	/* A child's are sealed, too, until it starts a program or ends. */
	CHILD({
		CHECK_EQ(memory[0], 7);
		memory[0] = 8;
		CHECK_ERRNO(munmap(memory, PAGE), EPERM);
		CHECK_ERRNO(mprotect(memory, PAGE, PROT_NONE), EPERM);
	});
	CHILD({ OK(execl("/bin/true", "true", NULL)); });
}

static void advice(void)
{
	static const int taking[] = { MADV_DONTNEED, MADV_FREE, 24 /* DONTNEED_LOCKED */, MADV_DONTFORK, MADV_WIPEONFORK };
	char *writable = sealed(1, PROT_READ | PROT_WRITE);
	char *readable = map(3, PROT_READ | PROT_WRITE) + PAGE;
	readable[0] = 5;
	OK(mprotect(readable, PAGE, PROT_READ));
	CHECK_EQ(seal(readable, PAGE, 0), 0);
	char *none = sealed(1, PROT_NONE);
	for (unsigned i = 0; i < sizeof taking / sizeof *taking; i++) {
		writable[0] = 1;
		CHECK_EQ(madvise(writable, PAGE, taking[i]), 0);
		CHECK_ERRNO(madvise(readable, PAGE, taking[i]), EPERM);
		CHECK_ERRNO(madvise(none, PAGE, taking[i]), EPERM);
		CHECK_ERRNO(madvise(readable - PAGE, 3 * PAGE, taking[i]), EPERM);
	}
	CHECK_EQ(readable[0], 5);
	OK(madvise(readable, PAGE, MADV_DOFORK));
	OK(madvise(readable, PAGE, 18 + 1 /* KEEPONFORK */));
	OK(madvise(readable, PAGE, MADV_SEQUENTIAL));
	OK(madvise(readable, PAGE, MADV_WILLNEED));
	OK(madvise(readable, PAGE, 20 /* COLD */));
	CHECK_EQ(readable[0], 5);
	/* Locked memory: the seal is asked first. */
	OK(mlock(readable, PAGE));
	CHECK_ERRNO(madvise(readable, PAGE, MADV_DONTNEED), EPERM);
	/* The pages of a file can be had again. */
	int fd = OK(memfd_create("sealed", 0));
	OK(ftruncate(fd, PAGE));
	char *file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(file != MAP_FAILED);
	CHECK_EQ(seal(file, PAGE, 0), 0);
	OK(madvise(file, PAGE, MADV_DONTNEED));
	OK(madvise(file, PAGE, MADV_DONTFORK));
	OK(madvise(file, PAGE, MADV_REMOVE));
	CHECK_EQ(file[0], 0);
	/* The file itself is not sealed. */
	OK(ftruncate(fd, 0));
	CHECK_ERRNO(munmap(file, PAGE), EPERM);
}

static void others(void)
{
	/* The heap does not shrink. */
	char *end = sbrk(0), *aligned = (char *)(((unsigned long)end + PAGE - 1) & -PAGE);
	CHECK(syscall(SYS_brk, aligned + 4 * PAGE) == (long)(aligned + 4 * PAGE));
	CHECK_EQ(seal(aligned + PAGE, PAGE, 0), 0);
	CHECK(syscall(SYS_brk, aligned) == (long)(aligned + 4 * PAGE));
	CHECK(syscall(SYS_brk, aligned + 2 * PAGE) == (long)(aligned + 2 * PAGE));
	CHECK(syscall(SYS_brk, aligned + 6 * PAGE) == (long)(aligned + 6 * PAGE));
	aligned[5 * PAGE] = 1;
	/* A segment stays where it is attached. */
	int id = (int)OK(shmget(IPC_PRIVATE, 2 * PAGE, 0600));
	char *segment = shmat(id, NULL, 0);
	CHECK(segment != (void *)-1);
	OK(shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(seal(segment, 2 * PAGE, 0), 0);
	CHECK_EQ(shmdt(segment), 0);
	segment[0] = 1;
	/* Neighbours that are sealed alike become one. */
	char *memory = map(6, PROT_READ);
	CHECK_EQ(seal(memory + PAGE, PAGE, 0), 0);
	CHECK_EQ(seal(memory + 3 * PAGE, PAGE, 0), 0);
	CHECK_EQ(seal(memory + 2 * PAGE, PAGE, 0), 0);
	char line[64];
	snprintf(line, sizeof line, "%08lx-%08lx r--p", (unsigned long)memory + PAGE, (unsigned long)memory + 4 * PAGE);
	CHECK(strstr(test_read_file("/proc/self/maps"), line));
}

int main(void)
{
	if (seal(NULL, 0, 0) == -1 && errno == ENOSYS)
		SKIP("there is no mseal");
	arguments();
	changes();
	advice();
	others();
	return 0;
}
