/* /proc/sys/kernel/{msg,sem,shm}_next_id: the next object gets the identifier, the one after it goes on as before. */
#include "nos_ipc.h"
#include <sys/msg.h>
#include <sys/shm.h>

#define NEXT(kind) "/proc/sys/kernel/" kind "_next_id"

int main(void)
{
	CHECK_STR(test_read_file(NEXT("msg")), "-1\n");
	int first = (int)OK(msgget(IPC_PRIVATE, 0600));
	int wanted = 20 | 77 << 15;
	char text[32];
	snprintf(text, sizeof text, "%d", wanted);
	test_write_file(NEXT("msg"), text);
	snprintf(text, sizeof text, "%d\n", wanted);
	CHECK_STR(test_read_file(NEXT("msg")), text);
	CHECK_EQ(msgget(IPC_PRIVATE, 0600), wanted);
	CHECK_STR(test_read_file(NEXT("msg")), "-1\n");

	/* One whose index is taken: the next free index, with the sequence number that was asked for. */
	test_write_file(NEXT("msg"), text);
	CHECK_EQ(msgget(IPC_PRIVATE, 0600), wanted + 1);
	int next = (int)OK(msgget(IPC_PRIVATE, 0600));
	CHECK_EQ(next >> 15, first >> 15);
	CHECK_EQ(next & 0x7fff, (first & 0x7fff) + 1);
	int queues[] = { first, wanted, wanted + 1, next };
	for (int i = 0; i < 4; i++)
		OK(msgctl(queues[i], IPC_RMID, NULL));

	int fd = (int)OK(open(NEXT("msg"), O_WRONLY));
	CHECK_ERRNO(write(fd, "-2", 2), EINVAL);

	test_write_file(NEXT("sem"), "50");
	CHECK_EQ(semget(IPC_PRIVATE, 1, 0600), 50);
	OK(semctl(50, 0, IPC_RMID));
	test_write_file(NEXT("shm"), "60");
	CHECK_EQ(shmget(IPC_PRIVATE, 4096, 0600), 60);
	OK(shmctl(60, IPC_RMID, NULL));
	return 0;
}
