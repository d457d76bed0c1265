/* An ordinary user may do what the mode bits say, root everything. */
#include "nos_test.h"

int main(void)
{
	OK(chmod(".", 0755));
	test_write_file("secret", "x");
	OK(chmod("secret", 0600));
	test_write_file("group", "x");
	OK(chown("group", 0, 1000));
	OK(chmod("group", 0040));
	OK(mkdir("closed", 0700));
	OK(mkdir("sticky", 0777));
	OK(chmod("sticky", 01777));
	test_write_file("sticky/mine", "x");
	CHILD({
		OK(setgid(1000));
		OK(setuid(1000));
		CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
		OK(open("group", O_RDONLY));
		CHECK_ERRNO(open("group", O_WRONLY), EACCES);
		CHECK_ERRNO(open("closed/x", O_RDONLY), EACCES);
		CHECK_ERRNO(chdir("closed"), EACCES);
		CHECK_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
		CHECK_ERRNO(unlink("secret"), EACCES);
		CHECK_ERRNO(unlink("sticky/mine"), EPERM);
		CHECK_ERRNO(chmod("secret", 0777), EPERM);
		CHECK_ERRNO(chown("secret", 1000, 1000), EPERM);
		CHECK_ERRNO(kill(getppid(), SIGTERM), EPERM);
		CHECK_ERRNO(setuid(0), EPERM);
		CHECK_ERRNO(chroot("."), EPERM);
		CHECK_ERRNO(access("secret", R_OK), EACCES);
		int own = (int)OK(open("sticky/own", O_CREAT | O_RDWR, 0000));
		CHECK_EQ(write(own, "x", 1), 1);
		CHECK_ERRNO(open("sticky/own", O_RDONLY), EACCES);
		OK(unlink("sticky/own"));
	});
	OK(open("secret", O_RDONLY));
	return 0;
}
