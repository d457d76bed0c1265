/* openat2: RESOLVE flags keep a walk where it belongs; nothing unknown is let through. */
#include "nos_test.h"
#include <linux/openat2.h>

static long open2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
	return syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int main(void)
{
	OK(mkdir("d", 0700));
	OK(mkdir("d/in", 0700));
	test_write_file("d/f", "");
	test_write_file("outside", "");
	OK(symlink("../outside", "d/up"));
	OK(symlink("/in", "d/abs"));
	OK(symlink("f", "d/plain"));
	int dir = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(open2(dir, "plain", O_RDONLY, 0, RESOLVE_BENEATH));
	CHECK_ERRNO(open2(dir, "up", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(dir, "..", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(dir, "/", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(dir, "abs", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
	OK(open2(dir, "in/../f", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(open2(dir, "abs", O_RDONLY, 0, RESOLVE_IN_ROOT));
	OK(open2(dir, "/../../in", O_RDONLY, 0, RESOLVE_IN_ROOT));
	CHECK_ERRNO(open2(dir, "up", O_RDONLY, 0, RESOLVE_IN_ROOT), ENOENT);
	CHECK_ERRNO(open2(dir, "plain", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERRNO(open2(AT_FDCWD, "/proc/self/status", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);
	CHECK_ERRNO(open2(dir, "f", O_RDONLY, 0, 0x1000), EINVAL);
	CHECK_ERRNO(open2(dir, "f", O_RDONLY, 0600, 0), EINVAL);
	CHECK_ERRNO(open2(dir, "f", 1ULL << 40, 0, 0), EINVAL);
	CHECK_ERRNO(open2(dir, "new", O_CREAT | O_RDWR, 0200000, 0), EINVAL);
	struct { struct open_how how; uint64_t more; } big = { .how = { .flags = O_RDONLY }, .more = 1 };
	CHECK_ERRNO(syscall(SYS_openat2, dir, "f", &big, sizeof big), E2BIG);
	big.more = 0;
	OK(syscall(SYS_openat2, dir, "f", &big, sizeof big));
	CHECK_ERRNO(syscall(SYS_openat2, dir, "f", &big, 8UL), EINVAL);
	return 0;
}
