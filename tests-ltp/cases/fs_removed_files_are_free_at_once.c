/* What a removed file had shows as free in statfs at once, unless somebody has it open: then when that is closed. */
#include "nos_test.h"
#include <sys/mount.h>
#include <sys/statfs.h>

#define PAGES 64

static struct statfs now(void)
{
	struct statfs it;
	OK(statfs("fs", &it));
	return it;
}

static void check(struct statfs before, long pages, long files)
{
	struct statfs it = now();
	CHECK_EQ((long)before.f_bfree - (long)it.f_bfree, pages);
	CHECK_EQ((long)before.f_ffree - (long)it.f_ffree, files);
}

static int make(const char *name)
{
	static char page[4096];
	int fd = (int)OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(write(fd, page, sizeof page), sizeof page);
	return fd;
}

int main(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
	OK(mkdir("fs", 0700));
	OK(mount("fs", "fs", "tmpfs", 0, "size=1m,nr_inodes=100"));
	struct statfs before = now();

	for (int i = 0; i < 200; i++) {
		OK(close(make("fs/file")));
		check(before, PAGES, 1);
		OK(unlink("fs/file"));
		check(before, 0, 0);
	}

	/* Open when its name goes. */
	int fd = make("fs/file"), second = (int)OK(open("fs/file", O_RDONLY));
	OK(unlink("fs/file"));
	check(before, PAGES, 1);
	OK(close(fd));
	check(before, PAGES, 1);
	/* By its descriptor it can be opened again. */
	char name[64];
	snprintf(name, sizeof name, "/proc/self/fd/%d", second);
	fd = (int)OK(open(name, O_RDONLY));
	OK(close(second));
	check(before, PAGES, 1);
	OK(close(fd));
	check(before, 0, 0);

	/* Mapped when its last descriptor goes. */
	fd = make("fs/file");
	void *map = mmap(NULL, PAGES * 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	OK(close(fd));
	OK(unlink("fs/file"));
	check(before, PAGES, 1);
	OK(munmap(map, PAGES * 4096));
	check(before, 0, 0);

	/* A second name, and one that takes its place. */
	OK(close(make("fs/file")));
	OK(link("fs/file", "fs/other"));
	check(before, PAGES, 2);
	OK(unlink("fs/other"));
	check(before, PAGES, 1);
	OK(close(make("fs/other")));
	check(before, 2 * PAGES, 2);
	OK(rename("fs/other", "fs/file"));
	check(before, PAGES, 1);
	OK(unlink("fs/file"));
	check(before, 0, 0);

	/* No name from the start, and one later. */
	fd = (int)OK(open("fs", O_TMPFILE | O_RDWR, 0600));
	CHECK_EQ(write(fd, name, 1), 1);
	check(before, 1, 1);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, name, AT_FDCWD, "fs/file", AT_SYMLINK_FOLLOW));
	OK(close(fd));
	check(before, 1, 1);
	OK(unlink("fs/file"));
	check(before, 0, 0);

	OK(mkdir("fs/folder", 0700));
	OK(symlink("x", "fs/link"));
	check(before, 0, 2);
	OK(rmdir("fs/folder"));
	OK(unlink("fs/link"));
	check(before, 0, 0);

	/* What is free can be had: four files fill it. */
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < 4; j++) {
			snprintf(name, sizeof name, "fs/%d", j);
			OK(close(make(name)));
		}
		for (int j = 0; j < 4; j++) {
			snprintf(name, sizeof name, "fs/%d", j);
			OK(unlink(name));
		}
	}
	OK(umount("fs"));
	return 0;
}
