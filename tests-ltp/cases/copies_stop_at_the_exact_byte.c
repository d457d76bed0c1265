/* A write from memory that ends before the buffer does takes exactly the bytes that are there, whatever their number and alignment. */
#include "nos_test.h"
#include <sys/mman.h>

int main(void)
{
	static char back[4096];
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *end = map + 4096;
	int fds[2];
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < 4096; i++)
		map[i] = (char)(i * 7 + i / 251);
	OK(mprotect(end, 4096, PROT_NONE));
	OK(pipe(fds));
	for (int len = 1; len <= 600; len++) {
		/* All of it is there. */
		CHECK_EQ(write(fds[1], end - len, len), len);
		memset(back, 0, sizeof back);
		CHECK_EQ(read(fds[0], back, sizeof back), len);
		CHECK_EQ(memcmp(back, end - len, len), 0);
		/* A read of that many leaves its neighbours, and the rest for the next. */
		CHECK_EQ(write(fds[1], map, 600), 600);
		memset(end - len - 8, 0x55, len + 8);
		ssize_t got = read(fds[0], end - len, len);
		CHECK_EQ(got, len);
		CHECK_EQ(memcmp(end - len, map, len), 0);
		CHECK(end[-len - 1] == 0x55);
		while (got < 600)
			got += read(fds[0], back, sizeof back);
		for (int i = 0; i < 4096; i++)
			map[i] = (char)(i * 7 + i / 251);
	}
	/* A file takes what is there, then says so by the count. */
	int fd = OK(open("file", O_CREAT | O_RDWR | O_TRUNC, 0600));
	for (int len = 1; len <= 600; len += 13) {
		CHECK_EQ(pwrite(fd, end - len, len + 100, 0), len);
		CHECK_EQ(pread(fd, back, len, 0), len);
		CHECK_EQ(memcmp(back, end - len, len), 0);
	}
	CHECK_ERRNO(pwrite(fd, end, 100, 0), EFAULT);
	return 0;
}
