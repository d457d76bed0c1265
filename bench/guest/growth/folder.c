/* Names in a folder of SIZE files on tmpfs: finding one that is there (stat), one that is not, and creating and removing one. */
#include "growth.h"

static unsigned long files;

static const char *name_of(unsigned long number)
{
	static char name[32];
	snprintf(name, sizeof name, "file-%lu", number);
	return name;
}

static void find(void)
{
	struct stat found;
	if (stat(name_of(below(files)), &found) != 0)
		fail("stat");
}

static void miss(void)
{
	struct stat found;
	if (stat(name_of(files + below(1000)), &found) == 0 || errno != ENOENT)
		fail("stat of a missing name");
}

static void create_and_remove(void)
{
	int fd = open("new", O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || close(fd) != 0 || unlink("new") != 0)
		fail("create");
}

int main(int count, char **sizes)
{
	if (mkdir("/tmp/folder", 0700) != 0 || chdir("/tmp/folder") != 0)
		fail("mkdir");
	for (int i = 1; i < count; i++) {
		unsigned long size = size_of(sizes[i]);
		int failed = 0;
		while (!failed && files < size)
			if (mknod(name_of(files), S_IFREG | 0600, 0) != 0)
				failed = 1;
			else
				files++;
		if (failed) {
			print_missing("path_lookup", size, "mknod");
			print_missing("path_miss", size, "mknod");
			print_missing("path_create", size, "mknod");
			continue;
		}
		print_cost("path_lookup", size, cost_of(find, 1000));
		print_cost("path_miss", size, cost_of(miss, 1000));
		print_cost("path_create", size, cost_of(create_and_remove, 200));
	}
	return 0;
}
