/* IPC_INFO, the *_INFO and *_STAT commands, /proc/sysvipc, and the limits in /proc/sys/kernel. */
#include "nos_ipc.h"
#include <limits.h>

static char *line_of(const char *file, int id)
{
	char path[64], wanted[32], *line;
	snprintf(path, sizeof path, "/proc/sysvipc/%s", file);
	snprintf(wanted, sizeof wanted, " %10d  ", id);
	line = strstr(test_read_file(path), wanted);
	CHECK(line != NULL);
	while (line[-1] != '\n')
		line--;
	*strchr(line, '\n') = '\0';
	return line;
}

int main(void)
{
	int sem = (int)OK(semget(0x4e4f5306, 7, IPC_CREAT | IPC_EXCL | 0640));
	int queue = (int)OK(msgget(IPC_PRIVATE, 0602)), seg = (int)OK(shmget(IPC_PRIVATE, 5000, 0600));
	OK(send_text(queue, 1, "twelve bytes", 0));

	struct seminfo sems;
	int highest = (int)OK(semctl(0, 0, IPC_INFO, (union semun){ .info = &sems }));
	CHECK(highest >= (sem & 0x7fff));
	CHECK(sems.semmni == 32000 && sems.semmns == 1024000000 && sems.semmsl == 32000 && sems.semopm == 500);
	CHECK(sems.semvmx == 32767 && sems.semaem == 32767 && sems.semusz == 20 && sems.semume == 500);
	CHECK_EQ(semctl(0, 0, SEM_INFO, (union semun){ .info = &sems }), highest);
	CHECK(sems.semusz >= 1 && sems.semaem >= 7);
	struct msginfo msgs;
	highest = (int)OK(msgctl(0, IPC_INFO, (struct msqid_ds *)&msgs));
	CHECK(msgs.msgmni == 32000 && msgs.msgmax == 8192 && msgs.msgmnb == 16384 && msgs.msgpool == 512000);
	CHECK(msgs.msgmap == 16384 && msgs.msgtql == 16384 && msgs.msgssz == 16 && msgs.msgseg == 0xffff);
	CHECK_EQ(msgctl(0, MSG_INFO, (struct msqid_ds *)&msgs), highest);
	CHECK(msgs.msgpool >= 1 && msgs.msgmap >= 1 && msgs.msgtql >= 12);
	struct shminfo limits;
	struct shm_info used;
	highest = (int)OK(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits));
	CHECK(limits.shmmni == 4096 && limits.shmseg == 4096 && limits.shmmin == 1);
	CHECK(limits.shmmax == ULONG_MAX - (1UL << 24) && limits.shmall == ULONG_MAX - (1UL << 24));
	char *place = shmat(seg, NULL, 0);
	place[4096] = 1;
	CHECK_EQ(shmctl(0, SHM_INFO, (struct shmid_ds *)&used), highest);
	CHECK(used.used_ids >= 1 && used.shm_tot >= 2 && used.shm_rss >= 1);

	struct semid_ds sem_data;
	CHECK_EQ(semctl(sem & 0x7fff, 0, SEM_STAT, (union semun){ .buf = &sem_data }), sem);
	CHECK_EQ(sem_data.sem_nsems, 7);
	struct msqid_ds msg_data;
	CHECK_EQ(msgctl(queue & 0x7fff, MSG_STAT, &msg_data), queue);
	struct shmid_ds shm_data;
	CHECK_EQ(shmctl(seg & 0x7fff, SHM_STAT, &shm_data), seg);
	CHECK_EQ(shm_data.shm_segsz, 5000);
	CHECK_ERRNO(shmctl(0x7ffe, SHM_STAT, &shm_data), EINVAL);
	CHILD({
		become_user(1001);
		CHECK_ERRNO(semctl(sem & 0x7fff, 0, SEM_STAT, (union semun){ .buf = &sem_data }), EACCES);
		CHECK_EQ(semctl(sem & 0x7fff, 0, SEM_STAT_ANY, (union semun){ .buf = &sem_data }), sem);
		CHECK_EQ(msgctl(queue & 0x7fff, MSG_STAT_ANY, &msg_data), queue);
		CHECK_EQ(shmctl(seg & 0x7fff, SHM_STAT_ANY, &shm_data), seg);
	});

	char wanted[256];
	OK(semctl(sem, 0, IPC_STAT, (union semun){ .buf = &sem_data }));
	snprintf(wanted, sizeof wanted, "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu", 0x4e4f5306, sem, 0640, 7, 0, 0,
		 0, 0, 0ULL, (unsigned long long)sem_data.sem_ctime);
	CHECK_STR(line_of("sem", sem), wanted);
	OK(msgctl(queue, IPC_STAT, &msg_data));
	snprintf(wanted, sizeof wanted, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10llu %10llu %10llu", 0, queue,
		 0602, 12UL, 1UL, getpid(), 0, 0, 0, 0, 0, (unsigned long long)msg_data.msg_stime, 0ULL,
		 (unsigned long long)msg_data.msg_ctime);
	CHECK_STR(line_of("msg", queue), wanted);
	OK(shmctl(seg, IPC_STAT, &shm_data));
	snprintf(wanted, sizeof wanted,
		 "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10llu %10llu %10llu %21lu %21lu", 0, seg, 0600, 5000UL,
		 getpid(), shm_data.shm_lpid, 1UL, 0, 0, 0, 0, (unsigned long long)shm_data.shm_atime,
		 (unsigned long long)shm_data.shm_dtime, (unsigned long long)shm_data.shm_ctime, 4096UL, 0UL);
	CHECK_STR(line_of("shm", seg), wanted);
	CHECK_EQ(strncmp(test_read_file("/proc/sysvipc/sem"),
			 "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n", 83), 0);
	CHECK_EQ(strncmp(test_read_file("/proc/sysvipc/msg"),
			 "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
			 117), 0);
	CHECK_EQ(strncmp(test_read_file("/proc/sysvipc/shm"),
			 "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n",
			 164), 0);
	OK(shmdt(place));
	sem_remove(sem);
	OK(msgctl(queue, IPC_RMID, NULL));
	OK(shmctl(seg, IPC_RMID, NULL));
	return 0;
}
