/* An identifier of a removed object names nothing, though its index is used again: sequence numbers differ. */
#include "nos_ipc.h"

int main(void)
{
	int ids[200], count = 200;
	for (int i = 0; i < count; i++) {
		ids[i] = (int)OK(msgget(IPC_PRIVATE, 0600));
		OK(msgctl(ids[i], IPC_RMID, NULL));
		for (int j = 0; j < i; j++)
			CHECK(ids[j] != ids[i]);
	}
	int live = (int)OK(msgget(IPC_PRIVATE, 0600));
	struct msqid_ds data;
	for (int i = 0; i < count; i++) {
		CHECK_ERRNO(msgctl(ids[i], IPC_STAT, &data), EINVAL);
		CHECK_ERRNO(send_text(ids[i], 1, "x", IPC_NOWAIT), EINVAL);
	}
	/* The index is in the low 15 bits, the sequence number above. */
	OK(msgctl(live, IPC_STAT, &data));
	CHECK_EQ(data.msg_perm.__ipc_perm_seq, live >> 15);
	CHECK_EQ(msgctl(live & 0x7fff, MSG_STAT, &data), live);
	OK(msgctl(live, IPC_RMID, NULL));
	return 0;
}
