/* RLIMIT_NOFILE, RLIMIT_FSIZE and RLIMIT_NPROC bound what a process can get. */
#include "nos_test.h"
#include <sys/resource.h>

int main(void)
{
	struct rlimit limit = { 10, 20 };
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	int last = -1, fd;
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	int why = errno;
	CHECK_EQ(why, EMFILE);
	CHECK_EQ(last, 9);
	OK(close(9));
	limit.rlim_cur = 30;
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
	signal(SIGXFSZ, SIG_IGN);
	fd = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
	OK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 5, 5 }));
	CHECK_EQ(write(fd, "0123456789", 10), 5);
	CHECK_ERRNO(write(fd, "x", 1), EFBIG);
	CHILD({
		OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 }));
		OK(setgid(1000));
		OK(setuid(1000));
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		why = errno;
		CHECK_EQ(child, -1);
		CHECK_EQ(why, EAGAIN);
	});
	return 0;
}
