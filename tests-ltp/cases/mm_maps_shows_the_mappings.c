/* /proc/self/maps: lines, permissions, merging and splitting. */
#include "nos_test.h"

/* Lines of maps within the range, their permissions one after the other. */
static int lines(unsigned long start, unsigned long end, char *perms)
{
	/* No stdio: its buffer would be mapped into the hole that is looked for. */
	static char text[65536];
	int fd = (int)OK(open("/proc/self/maps", O_RDONLY));
	size_t len = 0;
	for (long got; (got = OK(read(fd, text + len, sizeof text - 1 - len))) > 0; len += got)
		;
	close(fd);
	text[len] = 0;
	int n = 0;
	*perms = 0;
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		unsigned long a, b;
		char p[8];
		CHECK_EQ(sscanf(line, "%lx-%lx %4s", &a, &b, p), 3);
		if (a < end && start < b) {
			n++;
			strcat(perms, p);
			strcat(perms, " ");
		}
	}
	return n;
}

int main(void)
{
	char perms[256];
	/* A guard on either side keeps the neighbours from merging. */
	char *m = mmap(0, 10 * 4096, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	char *p = m + 4096;
	CHECK_EQ((long)mmap(p, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (long)p);
	unsigned long a = (unsigned long)p, b = a + 8 * 4096;
	CHECK_EQ(lines(a, b, perms), 1);
	CHECK(!strcmp(perms, "rw-p "));
	OK(mprotect(p + 2 * 4096, 4096, PROT_READ));
	CHECK_EQ(lines(a, b, perms), 3);
	CHECK(!strcmp(perms, "rw-p r--p rw-p "));
	OK(mprotect(p + 2 * 4096, 4096, PROT_READ | PROT_WRITE));
	CHECK_EQ(lines(a, b, perms), 1);
	OK(munmap(p + 4 * 4096, 4096));
	CHECK_EQ(lines(a, b, perms), 2);
	CHECK_EQ((long)mmap(p + 4 * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (long)(p + 4 * 4096));
	CHECK_EQ(lines(a, b, perms), 1);
	OK(mprotect(p, 4096, PROT_READ | PROT_EXEC));
	CHECK_EQ(lines(a, b, perms), 2);
	CHECK(!strcmp(perms, "r-xp rw-p "));
	CHECK_EQ(lines((unsigned long)m, a, perms), 1);
	CHECK(!strcmp(perms, "---s "));
	CHECK_EQ(madvise(p + 4096, 4096, MADV_DONTFORK), 0);
	CHECK_EQ(lines(a, b, perms), 3);
	CHECK_EQ(madvise(p + 4096, 4096, MADV_DOFORK), 0);
	CHECK_EQ(lines(a, b, perms), 2);
	return 0;
}
