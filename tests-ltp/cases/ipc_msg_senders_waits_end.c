/* A sender's wait ends with EINTR on a signal and EIDRM when the queue is removed; a stop does not end it. */
#include "nos_ipc.h"

int main(void)
{
	int id = (int)OK(msgget(IPC_PRIVATE, 0600));
	struct msqid_ds data;
	OK(msgctl(id, IPC_STAT, &data));
	data.msg_qbytes = 1;
	OK(msgctl(id, IPC_SET, &data));
	OK(send_text(id, 1, "x", 0));
	handle_with_restart(SIGUSR1);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_ERRNO(send_text(id, 1, "y", 0), EINTR);
		CHECK_ERRNO(send_text(id, 1, "z", 0), EIDRM);
		_exit(0);
	}
	await_sleep(child);
	OK(kill(child, SIGUSR1));
	usleep(50000);
	await_sleep(child);
	int status;
	OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	OK(kill(child, SIGCONT));
	usleep(50000);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	OK(msgctl(id, IPC_STAT, &data));
	CHECK_EQ(data.msg_qnum, 1);
	OK(msgctl(id, IPC_RMID, NULL));
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
