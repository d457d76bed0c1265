/* Mounts of procfs are apart, and show what hidepid, gid and subset say (proc(5)). */
#include "nos_test.h"
#include <dirent.h>
#include <grp.h>
#include <sys/mount.h>

static pid_t victim;

static const char *path(const char *mount, const char *rest)
{
	static char text[128];
	snprintf(text, sizeof text, "%s/%d%s", mount, victim, rest);
	return text;
}

static int lists(const char *mount, pid_t pid)
{
	int found = 0;
	DIR *folder = opendir(mount);
	CHECK(folder);
	for (struct dirent *entry; (entry = readdir(folder));)
		found |= atoi(entry->d_name) == pid;
	closedir(folder);
	return found;
}

static void make(const char *folder, const char *options)
{
	OK(mkdir(folder, 0755));
	OK(mount("proc", folder, "proc", 0, options));
}

static void become_nobody(gid_t group)
{
	OK(setgroups(1, &group));
	OK(setresgid(1000, 1000, 1000));
	OK(setresuid(1000, 1000, 1000));
}

int main(void)
{
	struct stat one, other;
	victim = getpid();
	OK(chmod(".", 0755));
	OK(mkdir("bad", 0755));
	CHECK_ERRNO(mount("proc", "bad", "proc", 0, "hidepid=3"), EINVAL);
	CHECK_ERRNO(mount("proc", "bad", "proc", 0, "nonsense=1"), EINVAL);
	CHECK_ERRNO(mount("proc", "bad", "proc", 0, "subset=all"), EINVAL);
	make("plain", NULL);
	make("entries", "hidepid=1");
	make("all", "hidepid=invisible,gid=77");
	make("untraceable", "hidepid=4");
	make("subset", "subset=pid");
	OK(stat("plain/meminfo", &one));
	OK(stat("entries/meminfo", &other));
	CHECK(one.st_dev != other.st_dev);
	const char *mounts = test_read_file("/proc/mounts");
	CHECK(strstr(mounts, "/entries proc rw,relatime,hidepid=noaccess 0 0\n"));
	CHECK(strstr(mounts, "/all proc rw,relatime,gid=77,hidepid=invisible 0 0\n"));
	CHECK(strstr(mounts, "/untraceable proc rw,relatime,hidepid=ptraceable 0 0\n"));
	CHECK(strstr(mounts, "/subset proc rw,relatime,subset=pid 0 0\n"));

	CHECK_ERRNO(stat("subset/meminfo", &one), ENOENT);
	CHECK_ERRNO(stat("subset/sys", &one), ENOENT);
	OK(stat("subset/self/stat", &one));
	OK(lstat("subset/thread-self", &one));
	OK(stat(path("subset", "/stat"), &one));

	CHILD({
		become_nobody(1000);
		OK(stat(path("plain", "/stat"), &one));
		OK(stat(path("entries", ""), &one));
		CHECK(lists("entries", victim));
		CHECK_ERRNO(stat(path("entries", "/stat"), &one), EPERM);
		CHECK_ERRNO(open(path("entries", ""), O_RDONLY), EPERM);
		OK(stat("entries/self/stat", &one));
		CHECK_ERRNO(stat(path("all", ""), &one), ENOENT);
		CHECK_ERRNO(stat(path("all", "/stat"), &one), ENOENT);
		CHECK(!lists("all", victim));
		CHECK(lists("all", getpid()));
		CHECK_ERRNO(stat(path("untraceable", ""), &one), ENOENT);
		CHECK(!lists("untraceable", victim));
	});
	CHILD({
		become_nobody(77);
		OK(stat(path("all", "/stat"), &one));
		CHECK(lists("all", victim));
		CHECK_ERRNO(stat(path("untraceable", ""), &one), ENOENT);
	});
	OK(mount(NULL, "entries", NULL, MS_REMOUNT, "hidepid=off"));
	CHECK_ERRNO(mount(NULL, "entries", NULL, MS_REMOUNT, "hidepid=9"), EINVAL);
	CHILD({
		become_nobody(1000);
		OK(stat(path("entries", "/stat"), &one));
	});
	static const char *const folders[] = { "plain", "entries", "all", "untraceable", "subset" };
	for (int i = 0; i < 5; i++)
		OK(umount(folders[i]));
	return 0;
}
