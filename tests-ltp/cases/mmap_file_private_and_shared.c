/* A shared file mapping writes the file, a private one does not; past the end is SIGBUS. */
#include "nos_test.h"
#include <setjmp.h>

static sigjmp_buf out;

static void handler(int number)
{
	siglongjmp(out, number);
}

int main(void)
{
	char text[8192];
	memset(text, 'f', sizeof text);
	int fd = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(fd, text, 5000), 5000);
	char *private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *shared = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(private != MAP_FAILED && shared != MAP_FAILED);
	CHECK_EQ(private[4999], 'f');
	CHECK_EQ(private[5000], 0);
	private[0] = 'p';
	shared[1] = 's';
	CHECK_EQ(pread(fd, text, 2, 0), 2);
	CHECK_EQ(text[0], 'f');
	CHECK_EQ(text[1], 's');
	CHECK_EQ(pwrite(fd, "w", 1, 4096), 1);
	CHECK_EQ(shared[4096], 'w');
	CHECK_EQ(private[4096], 'w');
	OK(msync(shared, 4096, MS_SYNC));
	signal(SIGBUS, handler);
	if (sigsetjmp(out, 1) == 0) {
		shared[2 * 4096] = 1;
		FAIL("a write past the end of the file went through");
	}
	CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 77, 0), EBADF);
	int reader = (int)OK(open("file", O_RDONLY));
	CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
	CHECK((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 0) != -1);
	return 0;
}
