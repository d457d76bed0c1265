/* Shared mounts pass mounts and unmounts on to their peers and slaves, private ones do not; unbindable ones are not bound. */
#include "nos_test.h"
#include <sys/mount.h>

static int has(const char *path)
{
	return access(path, F_OK) == 0;
}

int main(void)
{
	OK(mkdir("one", 0755));
	OK(mkdir("peer", 0755));
	OK(mkdir("slave", 0755));
	OK(mkdir("private", 0755));
	OK(mount("none", "one", "tmpfs", 0, NULL));
	OK(mkdir("one/sub", 0755));
	OK(mount(NULL, "one", NULL, MS_SHARED, NULL));
	OK(mount("one", "peer", NULL, MS_BIND, NULL));
	OK(mount("one", "slave", NULL, MS_BIND, NULL));
	OK(mount(NULL, "slave", NULL, MS_SLAVE, NULL));
	OK(mount("one", "private", NULL, MS_BIND, NULL));
	OK(mount(NULL, "private", NULL, MS_PRIVATE, NULL));

	OK(mount("none", "one/sub", "tmpfs", 0, NULL));
	test_write_file("peer/sub/file", "x");
	CHECK(has("one/sub/file"));
	CHECK(has("slave/sub/file"));
	CHECK(!has("private/sub/file"));
	OK(umount("peer/sub"));
	CHECK(!has("one/sub/file"));
	CHECK(!has("slave/sub/file"));

	OK(mount("none", "slave/sub", "tmpfs", 0, NULL));
	test_write_file("slave/sub/own", "x");
	CHECK(!has("one/sub/own"));
	OK(umount("slave/sub"));

	CHECK(strstr(test_read_file("/proc/self/mountinfo"), " shared:"));
	CHECK(strstr(test_read_file("/proc/self/mountinfo"), " master:"));
	OK(mount(NULL, "private", NULL, MS_UNBINDABLE, NULL));
	CHECK_ERRNO(mount("private", "slave/sub", NULL, MS_BIND, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, "one", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, "one/sub", NULL, MS_SHARED, NULL), EINVAL);
	OK(umount("private"));
	OK(umount("slave"));
	OK(umount("peer"));
	OK(umount("one"));
	return 0;
}
