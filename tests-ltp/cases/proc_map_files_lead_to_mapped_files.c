/* /proc/<pid>/map_files: a link for each mapped file, named by its addresses and nothing else. */
#include "nos_test.h"
#include <dirent.h>
#include <sys/prctl.h>

static unsigned long start, end;

static const char *path_of(const char *format)
{
	static char path[128];
	snprintf(path, sizeof path, format, start, end);
	return path;
}

int main(void)
{
	char target[256], expected[256], cwd[200];
	test_write_file("file", "content");
	int fd = (int)OK(open("file", O_RDONLY));
	char *memory = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(memory != MAP_FAILED);
	OK(close(fd));
	start = (unsigned long)memory;
	end = start + 8192;
	const char *format = "/proc/self/map_files/%lx-%lx";
	ssize_t length = OK(readlink(path_of(format), target, sizeof target - 1));
	target[length] = '\0';
	CHECK(getcwd(cwd, sizeof cwd));
	snprintf(expected, sizeof expected, "%s/file", cwd);
	CHECK_STR(target, expected);
	struct stat status;
	OK(lstat(path_of(format), &status));
	CHECK(S_ISLNK(status.st_mode));
	CHECK_EQ(status.st_mode & 0777, 0400);
	CHECK_EQ(status.st_size, 64);

	/* It leads to the file, whatever its name is now. */
	OK(unlink("file"));
	fd = (int)OK(open(path_of(format), O_RDONLY));
	CHECK_EQ(read(fd, target, 7), 7);
	CHECK(memcmp(target, "content", 7) == 0);

	static const char *const wrong[] = {
		"/proc/self/map_files/0%lx-%lx", "/proc/self/map_files/%lx-0%lx", "/proc/self/map_files/ %lx-%lx",
		"/proc/self/map_files/%lx- %lx", "/proc/self/map_files/%lx-%lx ", "/proc/self/map_files/%lx",
		"/proc/self/map_files/+%lx-%lx", "/proc/self/map_files/10000000000000000%lx-%lx",
	};
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK_ERRNO(readlink(path_of(wrong[i]), target, sizeof target), ENOENT);

	/* Only mapped files are listed: the program and this one, not the stack. */
	DIR *folder = opendir("/proc/self/map_files");
	CHECK(folder);
	int found = 0, others = 0;
	const char *name = strrchr(path_of(format), '/') + 1;
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		CHECK_EQ(entry->d_type, DT_LNK);
		if (strcmp(entry->d_name, name) == 0)
			found++;
		else
			others++;
	}
	CHECK_EQ(found, 1);
	CHECK(others > 0);
	OK(stat("/proc/self/map_files", &status));
	CHECK_EQ(status.st_mode & 0777, 0500);

	/* Following one needs a capability, reading it does not. */
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		OK(setuid(1000));
		OK(prctl(PR_SET_DUMPABLE, 1));
		OK(readlink(path_of(format), target, sizeof target));
		CHECK_ERRNO(open(path_of(format), O_RDONLY), EPERM);
		_exit(0);
	}
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 0);
	return 0;
}
