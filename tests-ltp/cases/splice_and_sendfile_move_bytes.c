/* sendfile, splice, tee and vmsplice move exactly the bytes asked for, with and without positions. */
#include "nos_test.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

#define SIZE 20000
static char data[SIZE], back[SIZE];

int main(void)
{
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 + i / 256);
	int in = OK(open("in", O_CREAT | O_RDWR | O_TRUNC, 0600));
	int out = OK(open("out", O_CREAT | O_RDWR | O_TRUNC, 0600));
	CHECK_EQ(write(in, data, SIZE), SIZE);

	off_t at = 100;
	CHECK_EQ(sendfile(out, in, &at, SIZE), SIZE - 100);
	CHECK_EQ(at, SIZE);
	CHECK_EQ(pread(out, back, SIZE, 0), SIZE - 100);
	CHECK_EQ(memcmp(back, data + 100, SIZE - 100), 0);
	CHECK_EQ(OK(lseek(in, 0, SEEK_CUR)), SIZE);

	int p[2], q[2];
	OK(pipe(p));
	OK(pipe(q));
	loff_t from = 50;
	CHECK_EQ(splice(in, &from, p[1], NULL, 9000, 0), 9000);
	CHECK_EQ(from, 9050);
	CHECK_EQ(tee(p[0], q[1], 9000, 0), 9000);
	CHECK_EQ(read(q[0], back, SIZE), 9000);
	CHECK_EQ(memcmp(back, data + 50, 9000), 0);
	OK(ftruncate(out, 0));
	OK(lseek(out, 0, SEEK_SET));
	CHECK_EQ(splice(p[0], NULL, out, NULL, 9000, 0), 9000);
	CHECK_EQ(pread(out, back, SIZE, 0), 9000);
	CHECK_EQ(memcmp(back, data + 50, 9000), 0);

	/* What is in a pipe does not change when the file is written. */
	from = 0;
	struct iovec iov = {data, 3000};
	CHECK_EQ(vmsplice(p[1], &iov, 1, 0), 3000);
	CHECK_EQ(splice(p[0], NULL, q[1], NULL, 2000, 0), 2000);
	CHECK_EQ(read(q[0], back, SIZE), 2000);
	CHECK_EQ(read(p[0], back + 2000, SIZE), 1000);
	CHECK_EQ(memcmp(back, data, 3000), 0);

	/* A generated file has no pages; it is spliced from its position on, to its end. */
	int made = OK(open("/proc/version", O_RDONLY));
	ssize_t all = OK(pread(made, data, SIZE, 0));
	for (ssize_t got = 0, n; (n = OK(splice(made, NULL, p[1], NULL, 50, 0))) > 0; got += n)
		CHECK(got + n <= all);
	CHECK_EQ(read(p[0], back, SIZE), all);
	CHECK_EQ(memcmp(back, data, all), 0);

	CHECK_ERRNO(splice(in, NULL, out, NULL, 10, 0), EINVAL);
	CHECK_ERRNO(splice(p[0], &from, out, NULL, 10, 0), ESPIPE);
	CHECK_ERRNO(splice(p[0], NULL, q[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERRNO(tee(p[0], p[1], 10, 0), EINVAL);
	OK(close(p[1]));
	CHECK_EQ(splice(p[0], NULL, out, NULL, 10, 0), 0);
	return 0;
}
