/* remap_file_pages: a part of a shared mapping shows other pages of its file, through a mapping of its own. */
#include "nos_test.h"
#include <sys/resource.h>
#include <sys/shm.h>

#define PAGE 4096ul
#define PAGES 8ul

static long remap(void *addr, size_t size, int prot, size_t first, int flags)
{
	return syscall(SYS_remap_file_pages, addr, size, prot, first, flags);
}

static char *map(int prot, int flags, int fd)
{
	char *memory = mmap(NULL, PAGES * PAGE, prot, flags, fd, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

/* Which page is shown at each place: their first bytes say. */
static void check_order(int line, const char *memory, const char *order)
{
	for (size_t i = 0; order[i]; i++)
		if (memory[i * PAGE] != order[i])
			FAIL("line %d: page %zu is %c, not %c", line, i, memory[i * PAGE], order[i]);
}

#define ORDER(memory, order) check_order(__LINE__, memory, order)

static void shuffle(char *memory)
{
	for (size_t i = 0; i < PAGES; i++)
		memory[i * PAGE] = 'a' + i;
	ORDER(memory, "abcdefgh");
	OK(remap(memory, PAGE, 0, 7, 0));
	OK(remap(memory + PAGE, 2 * PAGE, 0, 4, 0));
	ORDER(memory, "hefdefgh");
	/* Across mappings of the same file. */
	OK(remap(memory, 4 * PAGE, 0, 1, 0));
	ORDER(memory, "bcdeefgh");
	/* Parts of pages are left out; not all flags are known. */
	OK(remap(memory + 1, PAGE + 5, 0, 0, 0x10000 /* NONBLOCK */ | 0x77));
	ORDER(memory, "acdeefgh");
	memory[0] = 'A';
	memory[3 * PAGE] = 'E';
	ORDER(memory, "AcdEEfgh");
	/* The same place as before. */
	OK(remap(memory, PAGES * PAGE, 0, 0, 0));
	ORDER(memory, "AbcdEfgh");
}

int main(void)
{
	int fd = OK(memfd_create("pages", 0));
	OK(ftruncate(fd, PAGES * PAGE));
	char *memory = map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	shuffle(memory);
	/* The pages are there at once. */
	unsigned char resident = 0;
	OK(remap(memory, PAGE, 0, 3, 0));
	OK(mincore(memory, PAGE, &resident));
	CHECK_EQ(resident & 1, 1);
	char line[80];
	snprintf(line, sizeof line, "%08lx-%08lx rw-s %08lx ", (unsigned long)memory, (unsigned long)memory + PAGE, 3 * PAGE);
	CHECK(strstr(test_read_file("/proc/self/maps"), line));
	/* Beyond the end of the file. */
	OK(remap(memory + PAGE, PAGE, 0, PAGES + 1, 0));
	pid_t child = OK(fork());
	if (child == 0) {
		memory[PAGE] = 1;
		_exit(0);
	}
	int status = test_wait(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	OK(remap(memory, PAGES * PAGE, 0, 0, 0));
	ORDER(memory, "AbcdEfgh");

	/* What it refuses. */
	CHECK_ERRNO(remap(memory, PAGE, PROT_READ, 1, 0), EINVAL);
	CHECK_ERRNO(remap(memory, PAGE - 1, 0, 1, 0), EINVAL);
	CHECK_ERRNO(remap(memory, -PAGE, 0, 1, 0), EINVAL);
	CHECK_ERRNO(remap(memory, PAGE, 0, -1ul, 0), EINVAL);
	CHECK_ERRNO(remap(memory, PAGE, 0, 1ul << 60, 0), EOVERFLOW);
	CHECK_ERRNO(remap(UNMAPPED_ADDRESS, 2 * PAGE, 0, 1, 0), EINVAL);
	char *private = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	CHECK_ERRNO(remap(private, PAGE, 0, 1, 0), EINVAL);
	OK(munmap(private, PAGES * PAGE));
	OK(munmap(memory + 4 * PAGE, PAGE));
	CHECK_ERRNO(remap(memory, PAGES * PAGE, 0, 0, 0), EINVAL);
	CHECK_ERRNO(remap(memory + 3 * PAGE, 2 * PAGE, 0, 0, 0), EINVAL);
	OK(mprotect(memory + PAGE, PAGE, PROT_READ));
	CHECK_ERRNO(remap(memory, 2 * PAGE, 0, 0, 0), EINVAL);
	ORDER(memory, "Abcd");
	/* Rights and locks are kept. */
	OK(remap(memory + PAGE, PAGE, 0, 2, 0));
	ORDER(memory, "Accd");
	snprintf(line, sizeof line, "%08lx-%08lx r--s ", (unsigned long)memory + PAGE, (unsigned long)memory + 2 * PAGE);
	CHECK(strstr(test_read_file("/proc/self/maps"), line));
	OK(mlock(memory, PAGE));
	OK(remap(memory, PAGE, 0, 5, 0));
	CHECK_ERRNO(msync(memory, PAGE, MS_INVALIDATE), EBUSY);
	OK(munmap(memory, PAGES * PAGE));
	/* A file that is open for reading alone is not one that may be written. */
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int reader = OK(open(path, O_RDONLY));
	memory = map(PROT_READ, MAP_SHARED, reader);
	CHECK_ERRNO(remap(memory, PAGE, 0, 1, 0), EINVAL);
	OK(munmap(memory, PAGES * PAGE));
	/* Sealed mappings stay. */
	memory = map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	if (syscall(462 /* mseal */, memory, PAGE, 0) == 0)
		CHECK_ERRNO(remap(memory, PAGE, 0, 1, 0), EPERM);

	/* Shared memory without a file, and a segment. */
	memory = map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	shuffle(memory);
	CHILD({ ORDER(memory, "AbcdEfgh"); memory[0] = 'x'; });
	ORDER(memory, "xbcd");
	OK(munmap(memory, PAGES * PAGE));
	int id = (int)OK(shmget(IPC_PRIVATE, PAGES * PAGE, 0600));
	memory = shmat(id, NULL, 0);
	CHECK(memory != (void *)-1);
	shuffle(memory);
	OK(shmctl(id, IPC_RMID, NULL));
	OK(remap(memory + PAGE, PAGE, 0, 7, 0));
	struct shmid_ds segment;
	OK(shmctl(id, IPC_STAT, &segment));
	CHECK_EQ(segment.shm_nattch, 3);
	OK(shmdt(memory));
	return 0;
}
