/* The vDSO and its data are two mappings of every process: where they are, and what may be done with them. */
#include "nos_vdso.h"

#define PAGE 4096

struct place {
	unsigned long start, end;
	char rights[8];
};

static struct place find(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	CHECK(maps);
	char line[512];
	struct place place = { 0 };
	while (fgets(line, sizeof line, maps)) {
		struct place one;
		unsigned long offset, inode;
		unsigned major, minor;
		char text[256] = "";
		CHECK(sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %255s", &one.start, &one.end, one.rights, &offset,
			     &major, &minor, &inode, text) >= 7);
		if (strcmp(text, name) != 0)
			continue;
		CHECK_EQ(offset, 0);
		CHECK_EQ(major, 0);
		CHECK_EQ(minor, 0);
		CHECK_EQ(inode, 0);
		place = one;
	}
	fclose(maps);
	return place;
}

static void works_at(unsigned long address)
{
	struct vdso vdso = vdso_at((const char *)address);
	vdso_clock *gettime = (vdso_clock *)vdso_function(&vdso, "__vdso_clock_gettime");
	struct timespec before, now;
	OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before));
	CHECK_EQ(gettime(CLOCK_MONOTONIC, &now), 0);
	CHECK(now.tv_sec > before.tv_sec || (now.tv_sec == before.tv_sec && now.tv_nsec >= before.tv_nsec));
}

static void is_elsewhere_in_other_programs(void)
{
	unsigned long first = 0;
	int different = 0;
	for (int i = 0; i < 8; i++) {
		int ends[2];
		char text[32] = "";
		OK(pipe(ends));
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			dup2(ends[1], 1);
			execl("/proc/self/exe", "self", "tell", (char *)NULL);
			_exit(1);
		}
		close(ends[1]);
		CHECK(read(ends[0], text, sizeof text - 1) > 0);
		close(ends[0]);
		OK(waitpid(child, NULL, 0));
		unsigned long address = strtoul(text, NULL, 16);
		CHECK(address != 0 && address % PAGE == 0);
		different |= first != 0 && address != first;
		first = address;
	}
	CHECK(different);
}

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

static void part_of_it_stays(struct place place)
{
	if (place.end - place.start <= PAGE)
		return;
	CHECK_ERRNO(munmap((void *)place.start, PAGE), EINVAL);
	CHECK_ERRNO(mprotect((void *)place.start, PAGE, PROT_NONE), EINVAL);
}

int main(int count, char **arguments)
{
	unsigned long address = getauxval(AT_SYSINFO_EHDR);
	(void)arguments;
	if (count > 1) {
		printf("%lx\n", address);
		return 0;
	}
	struct place code = find("[vdso]"), data = find("[vvar]");
	CHECK_EQ(code.start, address);
	CHECK_EQ(data.end, code.start);
	CHECK_STR(code.rights, "r-xp");
	CHECK_STR(data.rights, "r--p");
	works_at(address);
	is_elsewhere_in_other_programs();

	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		works_at(address);
		_exit(0);
	}
	int status;
	CHECK_EQ(OK(waitpid(child, &status, 0)), child);
	CHECK_EQ(status, 0);

	/* The data is not the program's; the code can be changed, for a debugger's sake. */
	CHECK_ERRNO(mprotect((void *)data.start, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK_ERRNO(madvise((void *)data.start, PAGE, MADV_DONTNEED), EINVAL);
	size_t size = code.end - code.start;
	OK(mprotect((void *)code.start, size, PROT_READ | PROT_WRITE | PROT_EXEC));
	*(volatile char *)code.start = *(volatile char *)code.start;
	OK(mprotect((void *)code.start, size, PROT_READ | PROT_EXEC));
	works_at(address);

	/* It moves as a whole, and keeps its size. */
	part_of_it_stays(code);
	part_of_it_stays(data);
	CHECK_ERRNO(syscall(SYS_mremap, code.start, size, size + PAGE, MREMAP_MAYMOVE, 0), EFAULT);
	size_t data_size = data.end - data.start;
	char *room = mmap(NULL, data_size + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(room != MAP_FAILED);
	int how = MREMAP_MAYMOVE | MREMAP_FIXED;
	CHECK_EQ(syscall(SYS_mremap, data.start, data_size, data_size, how, room), (long)room);
	CHECK_EQ(syscall(SYS_mremap, code.start, size, size, how, room + data_size), (long)(room + data_size));
	works_at((unsigned long)(room + data_size));
	CHECK_EQ(find("[vdso]").start, (unsigned long)(room + data_size));
	CHECK_EQ(find("[vvar]").start, (unsigned long)room);

	/* Without it signals come and go as before: handlers return by the C library's code. */
	OK(munmap(room, data_size + size));
	CHECK_EQ(find("[vdso]").start, 0);
	struct sigaction action = { .sa_handler = handler };
	OK(sigaction(SIGUSR1, &action, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ(handled, 1);
	return 0;
}
