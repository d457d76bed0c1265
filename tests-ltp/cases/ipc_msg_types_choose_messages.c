/* msgrcv(2): which message a type and the flags choose. */
#include "nos_ipc.h"
#include <limits.h>

static int id;

static void fill(void)
{
	OK(send_text(id, 3, "three", 0));
	OK(send_text(id, 1, "one", 0));
	OK(send_text(id, 2, "two", 0));
	OK(send_text(id, 1, "uno", 0));
}

int main(void)
{
	id = (int)OK(msgget(IPC_PRIVATE, 0600));
	fill();
	CHECK_STR(receive_text(id, 0, 0), "three");
	CHECK_STR(receive_text(id, 2, 0), "two");
	CHECK_STR(receive_text(id, 1, 0), "one");
	CHECK_STR(receive_text(id, 1, 0), "uno");
	CHECK(receive_text(id, 0, IPC_NOWAIT) == NULL && errno == ENOMSG);
	fill();
	/* The lowest type that is at most 2, the oldest of it. */
	CHECK_STR(receive_text(id, -2, 0), "one");
	CHECK_STR(receive_text(id, -2, 0), "uno");
	CHECK_STR(receive_text(id, -2, 0), "two");
	CHECK(receive_text(id, -2, IPC_NOWAIT) == NULL && errno == ENOMSG);
	CHECK_STR(receive_text(id, LONG_MIN, 0), "three");
	fill();
	CHECK_STR(receive_text(id, 3, MSG_EXCEPT), "one");
	CHECK_STR(receive_text(id, 1, MSG_EXCEPT), "three");
	CHECK_STR(receive_text(id, 1, MSG_EXCEPT), "two");
	CHECK(receive_text(id, 1, MSG_EXCEPT | IPC_NOWAIT) == NULL && errno == ENOMSG);
	CHECK_STR(receive_text(id, 0, 0), "uno");
	/* The type comes with the message; an empty text is one. */
	struct message message;
	OK(send_text(id, LONG_MAX, "", 0));
	CHECK_EQ(msgrcv(id, &message, 0, 0, 0), 0);
	CHECK_EQ(message.type, LONG_MAX);
	OK(msgctl(id, IPC_RMID, NULL));
	return 0;
}
