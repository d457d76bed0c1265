/* select reports ready members, leaves the time that is left, and refuses closed descriptors. */
#include "nos_test.h"
#include <sys/select.h>

int main(void)
{
	int p[2];
	OK(pipe(p));
	fd_set r, w;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	struct timeval tv = {5, 0};
	/* The call itself: musl's select hides what the kernel leaves in the time-out. */
	CHECK_EQ(syscall(SYS_select, p[1] + 1, &r, &w, NULL, &tv), 1);
	CHECK(!FD_ISSET(p[0], &r));
	CHECK(FD_ISSET(p[1], &w));
	CHECK(tv.tv_sec >= 4);
	FD_SET(p[0], &r);
	tv = (struct timeval){0, 30000};
	CHECK_EQ(syscall(SYS_select, p[0] + 1, &r, NULL, NULL, &tv), 0);
	CHECK(!FD_ISSET(p[0], &r));
	CHECK_EQ(tv.tv_sec + tv.tv_usec, 0);
	OK(write(p[1], "x", 1));
	FD_SET(p[0], &r);
	CHECK_EQ(select(p[0] + 1, &r, NULL, NULL, NULL), 1);
	CHECK(FD_ISSET(p[0], &r));
	OK(close(p[0]));
	CHECK_ERRNO(select(p[0] + 1, &r, NULL, NULL, NULL), EBADF);
	CHECK_ERRNO(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	tv = (struct timeval){-1, 0};
	CHECK_ERRNO(select(0, NULL, NULL, NULL, &tv), EINVAL);
	return 0;
}
