/* Blocked receivers: each gets the message that it asked for, in the order of arrival. */
#include "nos_ipc.h"

static int id;

static pid_t receiver(long type, int flags, const char *wanted)
{
	pid_t pid = (pid_t)OK(fork());
	if (pid == 0) {
		CHECK_STR(receive_text(id, type, flags), wanted);
		_exit(0);
	}
	await_sleep(pid);
	return pid;
}

int main(void)
{
	id = (int)OK(msgget(IPC_PRIVATE, 0600));
	pid_t two = receiver(2, 0, "b"), low = receiver(-5, 0, "a"), other = receiver(2, MSG_EXCEPT, "c");
	OK(send_text(id, 4, "a", 0));
	CHECK_EQ(test_wait(low), 0);
	OK(send_text(id, 9, "c", 0));
	CHECK_EQ(test_wait(other), 0);
	OK(send_text(id, 2, "b", 0));
	CHECK_EQ(test_wait(two), 0);
	struct msqid_ds data;
	OK(msgctl(id, IPC_STAT, &data));
	CHECK_EQ(data.msg_qnum, 0);
	CHECK_EQ(data.msg_lrpid, two);
	CHECK_EQ(data.msg_lspid, getpid());
	CHECK(data.msg_stime != 0 && data.msg_rtime != 0);
	/* One that has no room for it learns so; the message goes to the next. */
	pid_t tight = (pid_t)OK(fork());
	if (tight == 0) {
		struct message message;
		CHECK_ERRNO(msgrcv(id, &message, 2, 0, 0), E2BIG);
		_exit(0);
	}
	await_sleep(tight);
	pid_t roomy = receiver(0, 0, "long");
	OK(send_text(id, 1, "long", 0));
	CHECK_EQ(test_wait(tight), 0);
	CHECK_EQ(test_wait(roomy), 0);
	/* Signals end the wait, whatever SA_RESTART says; removal too. */
	handle_with_restart(SIGUSR1);
	pid_t interrupted = (pid_t)OK(fork());
	if (interrupted == 0) {
		CHECK(receive_text(id, 0, 0) == NULL && errno == EINTR);
		CHECK(receive_text(id, 0, 0) == NULL && errno == EIDRM);
		_exit(0);
	}
	await_sleep(interrupted);
	OK(kill(interrupted, SIGUSR1));
	usleep(50000);
	await_sleep(interrupted);
	OK(msgctl(id, IPC_RMID, NULL));
	CHECK_EQ(test_wait(interrupted), 0);
	return 0;
}
