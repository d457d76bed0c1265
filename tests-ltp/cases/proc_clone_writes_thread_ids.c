/* CLONE_PARENT_SETTID, CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID tell the child's id where they are told to. */
#include "nos_test.h"
#include <sched.h>

int main(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int parent_tid = 0, child_tid = 0;
	CHECK(shared != MAP_FAILED);
	pid_t child = (pid_t)OK(syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_tid,
				       &child_tid, 0));
	if (child == 0) {
		shared[0] = child_tid;
		_exit(0);
	}
	CHECK_EQ(parent_tid, child);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(shared[0], child);
	CHECK_EQ(child_tid, 0);

	/* The word that is cleared lies in memory that somebody else sees. */
	shared[1] = -1;
	child = (pid_t)OK(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | CLONE_CHILD_CLEARTID | SIGCHLD, 0, 0, &shared[1], 0));
	if (child == 0)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(shared[1], 0);

	/* Bad addresses do not make the call fail. */
	child = (pid_t)OK(syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, UNMAPPED_ADDRESS,
				 UNMAPPED_ADDRESS, 0));
	if (child == 0)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
