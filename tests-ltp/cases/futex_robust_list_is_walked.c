/* A lock whose owner dies is marked and a waiter woken; a signal interrupts a wait. */
#include "nos_test.h"
#include "nos_futex.h"

struct lock {
	struct robust_list list;
	uint32_t word;
};

static void nothing(int sig)
{
	(void)sig;
}

int main(void)
{
	struct lock *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK_ERRNO(syscall(SYS_set_robust_list, NULL, 8), EINVAL);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		static struct robust_list_head head;
		head.list.next = &lock->list;
		head.futex_offset = offsetof(struct lock, word);
		lock->list.next = &head.list;
		OK(syscall(SYS_set_robust_list, &head, sizeof head));
		struct robust_list_head *got;
		size_t size;
		OK(syscall(SYS_get_robust_list, 0, &got, &size));
		CHECK(got == &head && size == sizeof head);
		lock->word = (uint32_t)getpid() | FUTEX_WAITERS;
		usleep(200000);
		_exit(0);
	}
	while (__atomic_load_n(&lock->word, __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
	struct timespec limit = { 10, 0 };
	uint32_t owned = (uint32_t)child | FUTEX_WAITERS;
	long result = syscall(SYS_futex, &lock->word, FUTEX_WAIT, owned, &limit, NULL, 0);
	int why = errno;
	CHECK(result == 0 || why == EAGAIN);
	CHECK_EQ(lock->word, FUTEX_WAITERS | FUTEX_OWNER_DIED);
	CHECK_EQ(test_wait(child), 0);

	struct sigaction action = { .sa_handler = nothing };
	OK(sigaction(SIGALRM, &action, NULL));
	ualarm(50000, 0);
	CHECK_ERRNO(syscall(SYS_futex, &lock->word, FUTEX_WAIT, lock->word, NULL, NULL, 0), EINTR);
	return 0;
}
