/* /proc/slabinfo: the caches of open files, names, inodes, page trees and tasks grow with what they hold and shrink when it is gone; for root only. */
#include "nos_test.h"
#include <sys/mount.h>
#include <sys/resource.h>

#define FILES 2000
#define TASKS 600
/* Free objects that CPUs keep at hand count as active. */
#define AT_HAND 512
#define PAGE 4096

static const char *const HEADER =
	"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> "
	": slabdata <active_slabs> <num_slabs> <sharedavail>";

struct cache {
	long active, all, size, per_slab, pages;
};

static struct cache look(const char *name)
{
	struct cache found = {0};
	char line_name[64];
	char *text = test_read_file("/proc/slabinfo");
	int lines = 0, times = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		struct cache here;
		if (lines == 1)
			CHECK_STR(line, HEADER);
		if (lines < 2)
			continue;
		CHECK_EQ(sscanf(line, "%63s %ld %ld %ld %ld %ld :", line_name, &here.active, &here.all, &here.size, &here.per_slab, &here.pages),
			 6);
		if (strcmp(line_name, name) == 0)
			found = here, times++;
	}
	if (times != 1)
		FAIL("%s is listed %d times", name, times);
	CHECK(found.active <= found.all && found.size * found.per_slab <= found.pages * PAGE);
	return found;
}

/* What is freed may wait for a grace period. */
static void shrinks_to(const char *name, long active)
{
	int64_t end = test_now() + 5000000;
	while (look(name).active > active) {
		if (test_now() > end)
			FAIL("%s has %ld objects, not %ld", name, look(name).active, active);
		usleep(20000);
	}
}

static void grew(const char *name, struct cache before, long by)
{
	struct cache now = look(name);
	CHECK_EQ(now.size, before.size);
	if (now.active < before.active + by - AT_HAND)
		FAIL("%s went from %ld to %ld objects, with %ld new ones", name, before.active, now.active, by);
	shrinks_to(name, before.active + by + AT_HAND);
}

static void open_files(void)
{
	static int fds[FILES];
	struct rlimit limit = {FILES + 100, FILES + 100};
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	struct cache before = look("filp");
	for (int i = 0; i < FILES; i++)
		fds[i] = (int)OK(open("/dev/null", O_RDONLY));
	grew("filp", before, FILES);
	for (int i = 0; i < FILES; i++)
		OK(close(fds[i]));
	shrinks_to("filp", before.active + AT_HAND);
}

static void files_of_two_pages(void)
{
	char path[64];
	OK(mkdir("m", 0755));
	OK(mount("none", "m", "tmpfs", 0, ""));
	struct cache inodes = look("shmem_inode_cache"), nodes = look("radix_tree_node"), names = look("dentry");
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "m/%d", i);
		int fd = (int)OK(open(path, O_CREAT | O_WRONLY, 0644));
		CHECK_EQ(pwrite(fd, "end", 3, PAGE), 3);
		CHECK_EQ(pwrite(fd, "start", 5, 0), 5);
		OK(close(fd));
	}
	grew("shmem_inode_cache", inodes, FILES);
	grew("radix_tree_node", nodes, FILES);
	grew("dentry", names, FILES);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "m/%d", i);
		OK(unlink(path));
	}
	shrinks_to("shmem_inode_cache", inodes.active + AT_HAND);
	shrinks_to("radix_tree_node", nodes.active + AT_HAND);
	OK(umount("m"));
	shrinks_to("dentry", names.active + AT_HAND);
}

static void processes(void)
{
	static pid_t children[TASKS];
	struct cache tasks = look("task_struct");
	for (int i = 0; i < TASKS; i++) {
		children[i] = (pid_t)OK(fork());
		if (children[i] == 0)
			for (;;)
				pause();
	}
	grew("task_struct", tasks, TASKS);
	for (int i = 0; i < TASKS; i++)
		OK(kill(children[i], SIGKILL));
	for (int i = 0; i < TASKS; i++)
		test_wait(children[i]);
	shrinks_to("task_struct", tasks.active + AT_HAND);
}

int main(void)
{
	CHILD(OK(setuid(65534)); CHECK_ERRNO(open("/proc/slabinfo", O_RDONLY), EACCES));
	open_files();
	files_of_two_pages();
	processes();
	return 0;
}
