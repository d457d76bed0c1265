/* The mqueue file system: names of queues can be listed, read, opened, made and removed. */
#include "nos_mq.h"
#include <dirent.h>
#include <sys/mount.h>
#include <sys/statfs.h>

static int listed(const char *name)
{
	DIR *folder = opendir("mq");
	int found = 0;
	CHECK(folder != NULL);
	for (struct dirent *entry; (entry = readdir(folder));)
		found += strcmp(entry->d_name, name) == 0;
	closedir(folder);
	return found;
}

int main(void)
{
	struct stat stat_before, stat_after;
	struct statfs info;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	mq_unlink("/shown");
	OK(mkdir("mq", 0755));
	OK(mount("none", "mq", "mqueue", 0, NULL));
	OK(statfs("mq", &info));
	CHECK_EQ(info.f_type, 0x19800202);
	OK(stat("mq", &stat_before));
	CHECK_EQ(stat_before.st_mode, S_IFDIR | 01777);
	CHECK_EQ(listed("shown"), 0);
	mqd_t queue = (mqd_t)OK(mq_open("/shown", O_CREAT | O_RDWR, 0640, NULL));
	CHECK_EQ(listed("shown"), 1);
	OK(stat("mq", &stat_after));
	CHECK_EQ(stat_after.st_size, stat_before.st_size + 20);
	CHECK_STR(test_read_file("mq/shown"), "QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	OK(mq_put(queue, "five!", 0));
	OK(mq_put(queue, "more", 0));
	char wanted[128];
	CHECK_STR(test_read_file("mq/shown"), "QSIZE:9          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	CHECK_STR(mq_take(queue, NULL), "five!");
	CHECK_STR(mq_take(queue, NULL), "more");
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	OK(mq_notify(queue, &event));
	snprintf(wanted, sizeof wanted, "QSIZE:0          NOTIFY:0     SIGNO:%-5d NOTIFY_PID:%-6d\n", SIGUSR1, getpid());
	CHILD(CHECK_STR(test_read_file("mq/shown"), wanted));
	/* An open of the name is a descriptor of the queue. */
	int fd = (int)OK(open("mq/shown", O_RDWR));
	OK(mq_put(fd, "by file", 0));
	CHECK_STR(mq_take(queue, NULL), "by file");
	OK(chmod("mq/shown", 0600));
	OK(fstat(queue, &stat_after));
	CHECK_EQ(stat_after.st_mode, S_IFREG | 0600);
	/* Names that the file system makes and removes. */
	OK(close((int)OK(open("mq/made", O_CREAT | O_EXCL | O_RDWR, 0600))));
	mqd_t made = (mqd_t)OK(mq_open("/made", O_RDWR));
	OK(mq_put(made, "x", 0));
	OK(unlink("mq/made"));
	CHECK_ERRNO(mq_open("/made", O_RDWR), ENOENT);
	CHECK_EQ(listed("made"), 0);
	CHECK_ERRNO(mkdir("mq/folder", 0755), EPERM);
	CHECK_ERRNO(link("mq/shown", "mq/other"), EPERM);
	OK(mq_unlink("/shown"));
	CHECK_ERRNO(access("mq/shown", F_OK), ENOENT);
	OK(close(fd));
	OK(umount("mq"));
	return 0;
}
