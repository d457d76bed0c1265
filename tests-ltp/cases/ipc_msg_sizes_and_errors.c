/* Message sizes: MSG_NOERROR, E2BIG, MSG_COPY; arguments that are refused. */
#include "nos_ipc.h"

int main(void)
{
	int id = (int)OK(msgget(IPC_PRIVATE, 0600));
	struct message message = { 5, "0123456789" };
	static char big[8 + 8193];
	*(long *)big = 1;
	CHECK_ERRNO(msgsnd(id, big, 8193, 0), EINVAL);
	CHECK_ERRNO(msgsnd(id, &message, -1, 0), EINVAL);
	message.type = 0;
	CHECK_ERRNO(msgsnd(id, &message, 1, 0), EINVAL);
	message.type = -1;
	CHECK_ERRNO(msgsnd(id, &message, 1, 0), EINVAL);
	message.type = 5;
	CHECK_ERRNO(msgsnd(-1, &message, 1, 0), EINVAL);
	CHECK_ERRNO(msgsnd(id, UNMAPPED_ADDRESS, 1, 0), EFAULT);
	CHECK_ERRNO(msgrcv(id, &message, -1, 0, IPC_NOWAIT), EINVAL);
	CHECK_ERRNO(msgrcv(-1, &message, 1, 0, IPC_NOWAIT), EINVAL);

	OK(msgsnd(id, &message, 10, 0));
	OK(send_text(id, 6, "second", 0));
	CHECK_ERRNO(msgrcv(id, &message, 9, 0, 0), E2BIG);
	/* Copies, by position; the messages stay. */
	struct message copy;
	CHECK_ERRNO(msgrcv(id, &copy, 64, 0, MSG_COPY), EINVAL);
	CHECK_ERRNO(msgrcv(id, &copy, 64, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
	CHECK_EQ(msgrcv(id, &copy, 64, 1, MSG_COPY | IPC_NOWAIT), 6);
	CHECK(copy.type == 6 && memcmp(copy.text, "second", 6) == 0);
	CHECK_EQ(msgrcv(id, &copy, 64, 0, MSG_COPY | IPC_NOWAIT), 10);
	CHECK_EQ(copy.type, 5);
	CHECK_ERRNO(msgrcv(id, &copy, 64, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &copy, 5, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_ERRNO(msgrcv(id, &copy, 5, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
	/* Cut, and the rest is lost. */
	memset(&message, 'x', sizeof message);
	CHECK_EQ(msgrcv(id, &message, 4, 5, MSG_NOERROR), 4);
	CHECK(memcmp(message.text, "0123x", 5) == 0);
	CHECK_EQ(msgrcv(id, &message, 64, 0, 0), 6);
	/* A bad buffer costs the message. */
	OK(send_text(id, 1, "lost", 0));
	CHECK_ERRNO(msgrcv(id, UNMAPPED_ADDRESS, 64, 0, 0), EFAULT);
	CHECK_ERRNO(msgrcv(id, &message, 64, 0, IPC_NOWAIT), ENOMSG);
	OK(msgctl(id, IPC_RMID, NULL));
	return 0;
}
