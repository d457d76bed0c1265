/* Files and directories change places between the same directories from all sides at once: nobody waits for ever, and every name is
   in one place. */
#include "nos_test.h"
#include <dirent.h>

#define ROUNDS 3000

static void swap_file(int n)
{
	char here[32], there[32];
	snprintf(here, sizeof here, "a/f%d", n);
	snprintf(there, sizeof there, n % 2 ? "b/f%d" : "b/in/f%d", n);
	for (int i = 0; i < ROUNDS; i++) {
		OK(rename(here, there));
		OK(rename(there, here));
	}
	_exit(0);
}

static int names(const char *folder)
{
	int count = 0;
	DIR *dir = opendir(folder);
	CHECK(dir != NULL);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

int main(void)
{
	int children = 0;
	OK(mkdir("a", 0700));
	OK(mkdir("b", 0700));
	OK(mkdir("b/in", 0700));
	OK(mkdir("a/moves", 0700));
	for (int n = 0; n < 4; n++, children++) {
		char name[32];
		snprintf(name, sizeof name, "a/f%d", n);
		test_write_file(name, "x");
		if (OK(fork()) == 0)
			swap_file(n);
	}
	if (children++, OK(fork()) == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			OK(rename("a/moves", "b/in/moves"));
			CHECK_ERRNO(rename("b", "b/in/moves/b"), EINVAL);
			OK(rename("b/in/moves", "a/moves"));
		}
		_exit(0);
	}
	test_write_file("b/e", "e");
	test_write_file("a/g", "g");
	if (children++, OK(fork()) == 0) {
		for (int i = 0; i < ROUNDS; i++)
			OK(syscall(SYS_renameat2, AT_FDCWD, "b/e", AT_FDCWD, "a/g", 2));
		_exit(0);
	}
	while (children--) {
		int status;
		OK(wait(&status));
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(names("a"), 6);
	CHECK_EQ(names("b"), 2);
	CHECK_EQ(names("b/in"), 0);
	CHECK_STR(test_read_file("a/g"), "g");
	return 0;
}
