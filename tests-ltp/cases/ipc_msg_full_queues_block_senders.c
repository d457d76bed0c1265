/* msgsnd(2) waits for room in bytes and in messages; room goes to the first whose message fits. */
#include "nos_ipc.h"

static int id;
static char block[8 + 64] = { 1 };

static pid_t sender(size_t size, long type)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		*(long *)block = type;
		OK(msgsnd(id, block, size, 0));
		_exit(0);
	}
	await_sleep(pid);
	return pid;
}

int main(void)
{
	id = (int)OK(msgget(IPC_PRIVATE, 0600));
	struct msqid_ds data;
	OK(msgctl(id, IPC_STAT, &data));
	CHECK_EQ(data.msg_qbytes, 16384);
	data.msg_qbytes = 100;
	OK(msgctl(id, IPC_SET, &data));
	OK(msgsnd(id, block, 60, IPC_NOWAIT));
	OK(msgsnd(id, block, 40, IPC_NOWAIT));
	CHECK_ERRNO(msgsnd(id, block, 1, IPC_NOWAIT), EAGAIN);
	OK(msgctl(id, IPC_STAT, &data));
	CHECK_EQ(data.msg_qnum, 2);
	CHECK_EQ(data.msg_cbytes, 100);
	pid_t large = sender(61, 7), small = sender(50, 8);
	int status;
	CHECK_EQ(msgrcv(id, block, 64, 0, 0), 60);
	CHECK_EQ(waitpid(-1, &status, 0), small);
	CHECK_EQ(msgrcv(id, block, 64, 0, 0), 40);
	CHECK_EQ(waitpid(large, &status, WNOHANG), 0);
	CHECK_EQ(msgrcv(id, block, 64, 0, 0), 50);
	CHECK_EQ(waitpid(-1, &status, 0), large);
	OK(msgctl(id, IPC_STAT, &data));
	CHECK_EQ(data.msg_lspid, large);
	CHECK_EQ(data.msg_lrpid, getpid());
	/* A higher limit lets a sender go on. */
	pid_t more = sender(50, 9);
	data.msg_qbytes = 200;
	OK(msgctl(id, IPC_SET, &data));
	CHECK_EQ(test_wait(more), 0);
	/* There are no more messages than bytes, empty ones included. */
	data.msg_qbytes = 3;
	OK(msgctl(id, IPC_SET, &data));
	CHECK_EQ(msgrcv(id, block, 64, 0, 0), 61);
	CHECK_EQ(msgrcv(id, block, 64, 0, 0), 50);
	for (int i = 0; i < 3; i++)
		OK(msgsnd(id, block, 0, IPC_NOWAIT));
	CHECK_ERRNO(msgsnd(id, block, 0, IPC_NOWAIT), EAGAIN);
	/* Only the privileged may raise the limit beyond the system's. */
	data.msg_qbytes = 16385;
	OK(msgctl(id, IPC_SET, &data));
	data.msg_perm.uid = 1001;
	OK(msgctl(id, IPC_SET, &data));
	CHILD({
		become_user(1001);
		data.msg_qbytes = 16386;
		CHECK_ERRNO(msgctl(id, IPC_SET, &data), EPERM);
		data.msg_qbytes = 16384;
		OK(msgctl(id, IPC_SET, &data));
	});
	OK(msgctl(id, IPC_RMID, NULL));
	return 0;
}
