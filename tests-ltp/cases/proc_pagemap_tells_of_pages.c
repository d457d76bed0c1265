/* /proc/<pid>/pagemap: present, whose, shared or not, where; only for those who may look into the process. */
#include "nos_test.h"
#include <sys/prctl.h>

#define PAGE 4096UL
#define PRESENT (1ULL << 63)
#define FILE_PAGE (1ULL << 61)
#define EXCLUSIVE (1ULL << 56)
#define SOFT_DIRTY (1ULL << 55)
#define NUMBER ((1ULL << 55) - 1)

static int fd;

static unsigned long long word(void *address)
{
	unsigned long long word;
	CHECK_EQ(pread(fd, &word, 8, (off_t)((unsigned long)address / PAGE * 8)), 8);
	return word;
}

/* A program of uid 1000 that may be dumped. */
static void become_somebody(void)
{
	OK(setresgid(1000, 1000, 1000));
	OK(setresuid(1000, 1000, 1000));
	OK(prctl(PR_SET_DUMPABLE, 1));
}

int main(void)
{
	if (getuid() != 0)
		SKIP("needs root");
	fd = (int)OK(open("/proc/self/pagemap", O_RDONLY));
	volatile char *p = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	OK(munmap((void *)(p + 7 * PAGE), PAGE));
	CHECK_EQ(word((void *)p), SOFT_DIRTY);
	CHECK_EQ(word((void *)(p + 7 * PAGE)), 0);
	/* The page of zeros is there, and nobody's own. */
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(word((void *)(p + PAGE)) & ~NUMBER, PRESENT | SOFT_DIRTY);
	p[0] = 1;
	p[2 * PAGE] = 1;
	CHECK_EQ(word((void *)p) & ~NUMBER, PRESENT | EXCLUSIVE | SOFT_DIRTY);
	CHECK((word((void *)p) & NUMBER) != 0);
	CHECK((word((void *)p) & NUMBER) != (word((void *)(p + 2 * PAGE)) & NUMBER));
	OK(mprotect((void *)p, PAGE, PROT_NONE));
	CHECK_EQ(word((void *)p) & ~NUMBER, PRESENT | EXCLUSIVE | SOFT_DIRTY);
	OK(mprotect((void *)p, PAGE, PROT_READ | PROT_WRITE));

	/* Two mappings of a page of a file show the same frame. */
	int file = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(file, "x", 1), 1);
	volatile char *a = mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 0);
	CHECK_EQ(a[0], 'x');
	CHECK_EQ(word((void *)a) & ~NUMBER, PRESENT | FILE_PAGE | EXCLUSIVE | SOFT_DIRTY);
	volatile char *b = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK_EQ(b[0], 'x');
	CHECK_EQ(word((void *)a) & ~NUMBER, PRESENT | FILE_PAGE | SOFT_DIRTY);
	CHECK_EQ(word((void *)a) & NUMBER, word((void *)b) & NUMBER);

	/* A child's copy, before and after it writes: its frame, not ours. */
	unsigned long long mine = word((void *)p);
	int pair[2], back[2];
	char c;
	OK(pipe(pair));
	OK(pipe(back));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		/* Opened by the parent, so it is about the parent. */
		CHECK_EQ(read(pair[0], &c, 1), 1);
		p[0] = 2;
		CHECK_EQ(write(back[1], "x", 1), 1);
		CHECK_EQ(read(pair[0], &c, 1), 1);
		_exit(0);
	}
	CHECK_EQ(word((void *)p), (mine & ~EXCLUSIVE));
	int ours = fd;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/pagemap", child);
	fd = (int)OK(open(path, O_RDONLY));
	int childs = fd;
	CHECK_EQ(word((void *)p) & NUMBER, mine & NUMBER);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(read(back[0], &c, 1), 1);
	CHECK((word((void *)p) & NUMBER) != (mine & NUMBER));
	CHECK(word((void *)p) & EXCLUSIVE);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(test_wait(child), 0);
	/* Of a space that is gone nothing can be read. */
	unsigned long long words[1024];
	CHECK_EQ(pread(childs, words, 8, 0), 0);
	fd = ours;

	/* Whole words only, up to the end of user memory. */
	CHECK_ERRNO(pread(fd, words, 7, 0), EINVAL);
	CHECK_ERRNO(pread(fd, words, 8, 4), EINVAL);
	CHECK_EQ(pread(fd, words, 0, 0), 0);
	CHECK_EQ(pread(fd, words, sizeof words, (off_t)((unsigned long)p / PAGE * 8)), sizeof words);
	CHECK(words[0] & PRESENT);
	CHECK(words[2] & PRESENT);
	CHECK(!(words[3] & PRESENT));
	CHECK_EQ(words[6], SOFT_DIRTY);
	off_t end = (off_t)(0x7ffffffff000UL / PAGE * 8);
	if (pread(fd, words, 8, end) == 8) /* Linux with tables of five levels. */
		end = (off_t)(0xfffffffffff000UL / PAGE * 8);
	CHECK_EQ(pread(fd, words, 32, end - 16), 16);
	CHECK_EQ(pread(fd, words, 32, end), 0);
	CHECK_EQ(lseek(fd, 16, SEEK_SET), 16);
	CHECK_EQ(read(fd, words, 16), 16);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 32);
	CHECK_ERRNO(lseek(fd, 0, SEEK_END), EINVAL);

	/* Frame numbers are for those who were privileged when they opened it. */
	CHILD({
		p[0] = 3;
		become_somebody();
		fd = (int)OK(open("/proc/self/pagemap", O_RDONLY));
		CHECK_EQ(word((void *)p) & NUMBER, 0);
		CHECK(word((void *)p) & PRESENT);
		fd = ours;
		CHECK((word((void *)p) & NUMBER) != 0);
	});

	/* What is about memory is not even opened for others. */
	CHILD({
		static const char *const names[] = { "maps", "smaps", "smaps_rollup", "pagemap", "clear_refs" };
		become_somebody();
		for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
			snprintf(path, sizeof path, "/proc/1/%s", names[i]);
			CHECK_ERRNO(open(path, i == 4 ? O_WRONLY : O_RDONLY), EACCES);
			snprintf(path, sizeof path, "/proc/self/%s", names[i]);
			OK(open(path, i == 4 ? O_WRONLY : O_RDONLY));
		}
		/* One's own, once it must not be dumped: for its threads only. */
		OK(prctl(PR_SET_DUMPABLE, 0));
		OK(open("/proc/self/smaps", O_RDONLY));
	});
	/* A kernel thread, if one is shown, has no memory. */
	if (access("/proc/2", F_OK) == 0 && readlink("/proc/2/exe", path, sizeof path) < 0) {
		OK(open("/proc/2/smaps", O_RDONLY));
		CHECK_ERRNO(open("/proc/2/smaps_rollup", O_RDONLY), ESRCH);
	}
	return 0;
}
