/* getdents64 lists each of a thousand names once. */
#include "nos_test.h"
#include <dirent.h>

int main(void)
{
	static unsigned char seen[1000];
	char name[32];
	struct dirent *entry;
	int dots = 0;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "file-%d", i);
		OK(close((int)OK(open(name, O_CREAT | O_WRONLY, 0600))));
	}
	DIR *folder = opendir(".");
	CHECK(folder);
	while ((entry = readdir(folder))) {
		int number;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) {
			CHECK_EQ(entry->d_type, DT_DIR);
			dots++;
		} else if (sscanf(entry->d_name, "file-%d", &number) == 1) {
			CHECK_EQ(entry->d_type, DT_REG);
			CHECK_EQ(seen[number]++, 0);
		}
	}
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(seen[i], 1);
	CHECK_EQ(dots, 2);
	return 0;
}
