/* /proc/self: stat, status, maps, fd, exe, cmdline agree with the system calls. */
#include "nos_test.h"
#include <dirent.h>

int main(void)
{
	char path[128], expected[256];
	int pid, ppid;
	char state;
	ssize_t length = OK(readlink("/proc/self", path, sizeof path));
	path[length] = '\0';
	CHECK_EQ(atoi(path), getpid());
	char *stat = test_read_file("/proc/self/stat");
	CHECK_EQ(sscanf(stat, "%d (%*[^)]) %c %d", &pid, &state, &ppid), 3);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(ppid, getppid());
	CHECK_EQ(state, 'R');
	sprintf(expected, "Pid:\t%d\n", getpid());
	CHECK(strstr(test_read_file("/proc/self/status"), expected));
	CHECK(strstr(test_read_file("/proc/self/maps"), "[stack]"));
	CHECK_STR(test_read_file("/proc/self/cmdline"), "proc_self_describes_the_process");
	int fd = (int)OK(open("/dev/null", O_RDONLY));
	sprintf(path, "/proc/self/fd/%d", fd);
	length = OK(readlink(path, expected, sizeof expected));
	expected[length] = '\0';
	CHECK_STR(expected, "/dev/null");
	CHECK_ERRNO(open("/proc/self/no-such", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/0", O_RDONLY), ENOENT);
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int found = 0;
	CHECK(folder);
	while ((entry = readdir(folder)))
		found |= atoi(entry->d_name) == getpid();
	CHECK(found);
	return 0;
}
