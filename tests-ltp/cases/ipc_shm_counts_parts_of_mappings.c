/* Each mapping of a segment is an attachment, parts of a split one too; shmdt(2) takes all parts that are in place. */
#include "nos_ipc.h"

static int id;

static long attached(void)
{
	struct shmid_ds data;
	OK(shmctl(id, IPC_STAT, &data));
	return data.shm_nattch;
}

int main(void)
{
	id = (int)OK(shmget(IPC_PRIVATE, 8 * 4096, 0600));
	char *place = shmat(id, NULL, 0);
	CHECK(place != (void *)-1);
	OK(mprotect(place + 2 * 4096, 4096, PROT_READ));
	CHECK_EQ(attached(), 3);
	OK(mprotect(place + 2 * 4096, 4096, PROT_READ | PROT_WRITE));
	CHECK_EQ(attached(), 3);
	OK(munmap(place + 5 * 4096, 4096));
	CHECK_EQ(attached(), 4);
	CHILD(CHECK_EQ(attached(), 8));
	CHECK_EQ(attached(), 4);
	/* A part that was moved is left where it is. */
	char *room = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(room != MAP_FAILED);
	strcpy(place + 7 * 4096, "moved");
	CHECK(mremap(place + 7 * 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, room) == room);
	OK(shmdt(place));
	CHECK_EQ(attached(), 1);
	CHECK_STR(room, "moved");
	CHECK_ERRNO(shmdt(room), EINVAL);
	OK(munmap(room, 4096));
	CHECK_EQ(attached(), 0);
	/* Attachments show by name and identifier. */
	place = shmat(id, NULL, SHM_RDONLY);
	char wanted[64], *line;
	snprintf(wanted, sizeof wanted, "%lx-", (unsigned long)place);
	line = strstr(test_read_file("/proc/self/maps"), wanted);
	CHECK(line != NULL);
	*strchr(line, '\n') = '\0';
	CHECK(strstr(line, " r--s ") != NULL);
	snprintf(wanted, sizeof wanted, " %d ", id);
	CHECK(strstr(line, wanted) != NULL);
	CHECK(strstr(line, "/SYSV00000000 (deleted)") != NULL);
	OK(shmdt(place));
	OK(shmctl(id, IPC_RMID, NULL));
	return 0;
}
