/* A running program cannot be written, and a file open for writing cannot be run. */
#include "nos_test.h"

int main(void)
{
	char self[4096];
	ssize_t n = OK(readlink("/proc/self/exe", self, sizeof self - 1));
	self[n] = 0;
	CHECK_ERRNO(open(self, O_WRONLY), ETXTBSY);
	CHECK_ERRNO(truncate(self, 0), ETXTBSY);
	OK(open(self, O_RDONLY));
	int in = (int)OK(open(self, O_RDONLY));
	int out = (int)OK(open("copy", O_CREAT | O_WRONLY, 0755));
	static char buffer[65536];
	while ((n = OK(read(in, buffer, sizeof buffer))) > 0)
		CHECK_EQ(write(out, buffer, n), n);
	char *argv[] = { "copy", NULL };
	CHECK_ERRNO(execv("./copy", argv), ETXTBSY);
	OK(close(out));
	OK(chmod("copy", 0644));
	CHECK_ERRNO(execv("./copy", argv), EACCES);
	CHECK_ERRNO(execv(".", argv), EACCES);
	CHECK_ERRNO(execv("./none", argv), ENOENT);
	return 0;
}
