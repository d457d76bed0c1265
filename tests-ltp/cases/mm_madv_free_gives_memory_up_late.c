/*
 * MADV_FREE: pages keep their content while there is memory, and go when it is short, but not those written since.
 * MADV_DONTNEED_LOCKED.
 */
#include "nos_test.h"
#include <sys/sysinfo.h>

#define PAGE 4096UL
#ifndef MADV_FREE
#define MADV_FREE 8
#endif
#define DONTNEED_LOCKED 24

static char text[1 << 18];

static long figure(void *address, const char *name)
{
	char begin[32];
	int fd = (int)OK(open("/proc/self/smaps", O_RDONLY));
	size_t len = 0;
	for (long got; (got = OK(read(fd, text + len, sizeof text - 1 - len))) > 0; len += (size_t)got)
		;
	close(fd);
	text[len] = 0;
	snprintf(begin, sizeof begin, "%08lx-", (unsigned long)address);
	char *at = strstr(text, begin);
	at = at ? strstr(at, name) : 0;
	if (!at)
		FAIL("no %s", name);
	return atol(at + strlen(name));
}

static char *map(size_t len)
{
	/* Between guards, so that nothing merges. */
	char *m = mmap(0, len + 2 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	CHECK(mmap(m + PAGE, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m + PAGE);
	OK(madvise(m + PAGE, len, MADV_NOHUGEPAGE));
	return m + PAGE;
}

static void content_and_refusals(void)
{
	char *p = map(16 * PAGE);
	memset(p, 1, 16 * PAGE);
	OK(madvise(p, 8 * PAGE, MADV_FREE));
	/* They are still there, unless memory is short at this very moment. */
	CHECK_EQ(figure(p, "Private_Clean:"), 32);
	CHECK_EQ(figure(p, "Rss:"), 64);
	CHECK_EQ(figure(p, "Anonymous:"), 64);
	char *large = map(1024 * PAGE);
	memset(large, 1, 1024 * PAGE);
	OK(madvise(large, 1024 * PAGE, MADV_FREE));
	/* Linux counts them in batches. */
	CHECK(figure(large, "LazyFree:") > 3500);
	OK(munmap(large, 1024 * PAGE));
	CHECK_EQ(p[0], 1);
	CHECK_EQ(figure(p, "Private_Clean:"), 32);
	/* A write takes the advice back: the program's, the kernel's, another's. */
	p[0] = 2;
	CHECK_EQ(figure(p, "Private_Clean:"), 28);
	int fd = (int)OK(open("/dev/zero", O_RDONLY));
	CHECK_EQ(read(fd, p + PAGE, 1), 1);
	CHECK_EQ(figure(p, "Private_Clean:"), 24);
	CHILD({
		char c = 3;
		struct iovec { void *base; size_t len; } from = { &c, 1 }, to = { p + 2 * PAGE, 1 };
		if (syscall(SYS_process_vm_writev, getppid(), &from, 1, &to, 1, 0) != 1)
			_exit(1);
	});
	CHECK_EQ(p[2 * PAGE], 3);
	CHECK(figure(p, "Private_Clean:") <= 24);
	/* Not a read or write protection that comes and goes. */
	OK(madvise(p, 8 * PAGE, MADV_FREE));
	OK(mprotect(p, 16 * PAGE, PROT_READ));
	OK(mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(figure(p, "Private_Clean:"), 32);
	p[3 * PAGE] = 4;
	CHECK_EQ(figure(p, "Private_Clean:"), 28);
	CHECK_EQ(p[3 * PAGE], 4);
	/* A child that writes leaves the parent's alone. */
	CHILD({
		CHECK_EQ(p[3 * PAGE], 4);
		p[3 * PAGE] = p[4 * PAGE] = 9;
	});
	CHECK_EQ(p[3 * PAGE], 4);

	OK(mlock(p, 16 * PAGE));
	CHECK_ERRNO(madvise(p, PAGE, MADV_FREE), EINVAL);
	CHECK_ERRNO(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	OK(madvise(p, PAGE, DONTNEED_LOCKED));
	CHECK_EQ(p[0], 0);
	OK(munlock(p, 16 * PAGE));
	OK(munmap(p, 16 * PAGE));

	char *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK_ERRNO(madvise(shared, PAGE, MADV_FREE), EINVAL);
	int file = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	OK(ftruncate(file, PAGE));
	char *private = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	CHECK_ERRNO(madvise(private, PAGE, MADV_FREE), EINVAL);
	CHECK_ERRNO(madvise(p, PAGE, MADV_FREE), ENOMEM);
}

/* More than half of what there is, twice: only if the first half can go. */
static void under_pressure(void)
{
	struct sysinfo info;
	OK(sysinfo(&info));
	size_t len = (size_t)info.freeram * info.mem_unit / 100 * 60 / PAGE * PAGE;
	char *p = map(len);
	for (size_t at = 0; at < len; at += PAGE)
		*(unsigned long *)(p + at) = at + 1;
	OK(madvise(p, len, MADV_FREE));
	/* One page of 64 is written again. */
	for (size_t at = 0; at < len; at += 64 * PAGE)
		*(unsigned long *)(p + at) = at + 2;
	char *q = map(len);
	for (size_t at = 0; at < len; at += PAGE)
		q[at] = 1;
	size_t gone = 0;
	for (size_t at = 0; at < len; at += PAGE) {
		unsigned long now = *(unsigned long *)(p + at);
		if (at % (64 * PAGE) == 0)
			CHECK_EQ(now, at + 2);
		else if (now == 0)
			gone++;
		else
			CHECK_EQ(now, at + 1);
	}
	/* What came is what went. */
	CHECK(gone >= len / PAGE / 8);
}

int main(void)
{
	memset(text, 1, sizeof text);
	content_and_refusals();
	CHILD(under_pressure());
	return 0;
}
