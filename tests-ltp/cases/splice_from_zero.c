/* /dev/zero and /dev/full, which have no end, fill pipes and files by splice and sendfile. */
#include "nos_test.h"
#include <sys/sendfile.h>

int main(void)
{
	int zero = (int)OK(open("/dev/zero", O_RDONLY)), ends[2];
	static char bytes[65536];
	OK(pipe(ends));
	CHECK_EQ(OK(splice(zero, NULL, ends[1], NULL, sizeof bytes, 0)), sizeof bytes);
	memset(bytes, 1, sizeof bytes);
	CHECK_EQ(OK(read(ends[0], bytes, sizeof bytes)), sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		CHECK_EQ(bytes[i], 0);
	int file = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(OK(sendfile(file, zero, NULL, 10000)), 10000);
	CHECK_EQ(OK(lseek(file, 0, SEEK_END)), 10000);
	CHECK_EQ(OK(pread(file, bytes, 5000, 5000)), 5000);
	for (size_t i = 0; i < 5000; i++)
		CHECK_EQ(bytes[i], 0);
	/* So does /dev/full; what is in the pipe is zeros whatever is written to the file that it goes to. */
	int full = (int)OK(open("/dev/full", O_RDONLY));
	CHECK_EQ(OK(splice(full, NULL, ends[1], NULL, 4096, 0)), 4096);
	loff_t at = 0;
	CHECK_EQ(OK(splice(ends[0], NULL, file, &at, 4096, 0)), 4096);
	CHECK_EQ(OK(pwrite(file, "once", 4, 0)), 4);
	CHECK_EQ(OK(splice(zero, NULL, ends[1], NULL, 4096, 0)), 4096);
	CHECK_EQ(OK(read(ends[0], bytes, sizeof bytes)), 4096);
	for (size_t i = 0; i < 4096; i++)
		CHECK_EQ(bytes[i], 0);
	return 0;
}
