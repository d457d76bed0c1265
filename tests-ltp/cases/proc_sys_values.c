/* /proc/sys shows values and takes new ones. */
#include "nos_test.h"
#include <sys/utsname.h>

int main(void)
{
	struct utsname names;
	char line[200], old[200], id[64];
	OK(uname(&names));
	snprintf(line, sizeof line, "%s\n", names.release);
	CHECK_STR(test_read_file("/proc/sys/kernel/osrelease"), line);
	CHECK_STR(test_read_file("/proc/sys/kernel/ostype"), "Linux\n");
	strcpy(old, test_read_file("/proc/sys/kernel/hostname"));
	snprintf(line, sizeof line, "%s\n", names.nodename);
	CHECK_STR(old, line);
	int fd = (int)OK(open("/proc/sys/kernel/hostname", O_WRONLY));
	CHECK_EQ(write(fd, "name-of-test\n", 13), 13);
	OK(close(fd));
	OK(uname(&names));
	CHECK_STR(names.nodename, "name-of-test");
	fd = (int)OK(open("/proc/sys/kernel/hostname", O_WRONLY));
	CHECK_EQ(write(fd, old, strlen(old)), strlen(old));
	OK(close(fd));
	CHECK(atoi(test_read_file("/proc/sys/kernel/pid_max")) >= 32768);
	strcpy(id, test_read_file("/proc/sys/kernel/random/uuid"));
	CHECK_EQ(strlen(id), 37);
	CHECK(strcmp(id, test_read_file("/proc/sys/kernel/random/uuid")) != 0);
	strcpy(id, test_read_file("/proc/sys/kernel/random/boot_id"));
	CHECK_STR(test_read_file("/proc/sys/kernel/random/boot_id"), id);
	CHECK(atoi(test_read_file("/proc/sys/fs/nr_open")) > 0);
	return 0;
}
