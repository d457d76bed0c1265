/* A listing neither repeats nor misses an entry that stays, whatever comes and goes meanwhile. */
#include "nos_test.h"
#include <dirent.h>

int main(void)
{
	char name[32];
	int seen[300] = { 0 };
	OK(mkdir("d", 0700));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "d/%d", i);
		test_write_file(name, "");
	}
	DIR *dir = opendir("d");
	CHECK(dir != NULL);
	struct dirent *entry;
	int count = 0;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		int i = atoi(entry->d_name);
		if (i < 300)
			CHECK_EQ(seen[i]++, 0);
		count++;
		/* Remove what was listed, and make something new. */
		if (i % 3 == 0) {
			snprintf(name, sizeof name, "d/%d", i);
			OK(unlink(name));
			snprintf(name, sizeof name, "d/%d", i + 1000);
			test_write_file(name, "");
		}
	}
	for (int i = 0; i < 300; i++)
		CHECK_EQ(seen[i], 1);
	rewinddir(dir);
	count = 0;
	long third = 0;
	char third_name[256] = "";
	while ((entry = readdir(dir)) != NULL) {
		if (count == 3)
			strcpy(third_name, entry->d_name);
		if (++count == 3)
			third = telldir(dir);
	}
	CHECK_EQ(count, 302);
	seekdir(dir, third);
	CHECK_STR(readdir(dir)->d_name, third_name);
	int fd = dirfd(dir);
	char small[8];
	OK(lseek(fd, 0, SEEK_SET));
	CHECK_ERRNO(syscall(SYS_getdents64, fd, small, sizeof small), EINVAL);
	CHECK_ERRNO(read(fd, small, 1), EISDIR);
	int file = (int)OK(open("d/1", O_RDONLY));
	CHECK_ERRNO(syscall(SYS_getdents64, file, small, sizeof small), ENOTDIR);
	return 0;
}
