/* sendfile between two open files in both directions at once, and onto the file it comes from, ends. */
#include "nos_test.h"
#include <sys/sendfile.h>

#define SIZE 10000

static void send_many(int out, int in)
{
	for (int i = 0; i < 2000; i++) {
		OK(lseek(in, 0, SEEK_SET));
		OK(lseek(out, 0, SEEK_SET));
		/* Positions are shared: how much is left is the other's doing. */
		OK(sendfile(out, in, NULL, 10));
	}
}

int main(void)
{
	static char data[SIZE];
	int a = OK(open("a", O_CREAT | O_RDWR | O_TRUNC, 0600));
	int b = OK(open("b", O_CREAT | O_RDWR | O_TRUNC, 0600));
	CHECK_EQ(write(a, data, SIZE), SIZE);
	CHECK_EQ(write(b, data, SIZE), SIZE);
	pid_t child = OK(fork());
	if (!child) {
		send_many(a, b);
		_exit(0);
	}
	send_many(b, a);
	int status;
	CHECK_EQ(OK(waitpid(child, &status, 0)), child);
	CHECK_EQ(status, 0);

	OK(lseek(a, 0, SEEK_SET));
	CHECK_EQ(sendfile(a, a, NULL, 100), 100);
	CHECK_EQ(OK(lseek(a, 0, SEEK_CUR)), 100);
	return 0;
}
