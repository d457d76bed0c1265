/* MADV_POPULATE_READ and _WRITE: what the mapping does not allow is refused, whatever the CPU could do. */
#include "nos_test.h"

#define PAGE 4096
#define POPULATE_READ 22
#define POPULATE_WRITE 23

static char *map(int protection)
{
	char *m = mmap(0, 4 * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m != MAP_FAILED);
	return m;
}

int main(void)
{
	OK(madvise(map(PROT_READ), 4 * PAGE, POPULATE_READ));
	CHECK_ERRNO(madvise(map(PROT_READ), 4 * PAGE, POPULATE_WRITE), EINVAL);
	CHECK_ERRNO(madvise(map(PROT_WRITE), 4 * PAGE, POPULATE_READ), EINVAL);
	OK(madvise(map(PROT_WRITE), 4 * PAGE, POPULATE_WRITE));
	CHECK_ERRNO(madvise(map(PROT_NONE), 4 * PAGE, POPULATE_READ), EINVAL);
	CHECK_ERRNO(madvise(map(PROT_NONE), 4 * PAGE, POPULATE_WRITE), EINVAL);

	/* A file that ends before the mapping does. */
	int fd = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	OK(ftruncate(fd, PAGE));
	char *m = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	OK(madvise(m, PAGE, POPULATE_WRITE));
	CHECK_ERRNO(madvise(m, 2 * PAGE, POPULATE_READ), EFAULT);
	CHECK_ERRNO(madvise(m, 2 * PAGE, POPULATE_WRITE), EFAULT);
	return 0;
}
