/* A slave's name is in /dev/pts while its master is open; the lowest free number is used. */
#include "nos_pty.h"
#include <dirent.h>

static int listed(int number)
{
	int found = 0;
	struct dirent *entry;
	DIR *folder = opendir("/dev/pts");
	CHECK(folder);
	while ((entry = readdir(folder)))
		found |= entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && atoi(entry->d_name) == number;
	closedir(folder);
	return found;
}

int main(void)
{
	int one, two, three;
	int first = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	int second = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(first, TIOCGPTN, &one));
	OK(ioctl(second, TIOCGPTN, &two));
	CHECK(one != two);
	CHECK(listed(one) && listed(two));
	OK(close(first));
	CHECK(!listed(one));
	int third = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(third, TIOCGPTN, &three));
	CHECK_EQ(three, one);
	char path[32];
	struct stat status;
	snprintf(path, sizeof path, "/dev/pts/%d", three);
	OK(stat(path, &status));
	CHECK_EQ(status.st_uid, geteuid());
	OK(chmod(path, 0622));
	OK(stat(path, &status));
	CHECK_EQ(status.st_mode & 07777, 0622);
	CHECK_ERRNO(unlink(path), EPERM);
	CHECK_ERRNO(open("/dev/pts/00", O_RDWR), ENOENT);
	return 0;
}
