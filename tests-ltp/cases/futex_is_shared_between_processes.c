/* A futex in shared memory joins processes, whatever the address; a private one does not. */
#include "nos_test.h"
#include "nos_futex.h"

int main(void)
{
	int file = (int)OK(open("shared", O_RDWR | O_CREAT, 0600));
	OK(ftruncate(file, 8192));
	uint32_t *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 4096);
	CHECK(mine != MAP_FAILED);
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		uint32_t *again = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
		struct timespec limit = { 10, 0 };
		_exit(syscall(SYS_futex, again + 1024, FUTEX_WAIT, 0, &limit, NULL, 0) != 0);
	}
	long count = 0;
	for (int i = 0; i < 5000 && count == 0; i++) {
		usleep(1000);
		CHECK_EQ(syscall(SYS_futex, mine, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0), 0);
		count = OK(syscall(SYS_futex, mine, FUTEX_WAKE, 1, NULL, NULL, 0));
	}
	CHECK_EQ(count, 1);
	CHECK_EQ(test_wait(child), 0);

	uint32_t *anonymous = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child = (pid_t)OK(fork());
	if (child == 0) {
		struct timespec limit = { 10, 0 };
		_exit(syscall(SYS_futex, anonymous, FUTEX_WAIT, 0, &limit, NULL, 0) != 0);
	}
	for (count = 0; count == 0; usleep(1000))
		count = OK(syscall(SYS_futex, anonymous, FUTEX_WAKE, 1, NULL, NULL, 0));
	CHECK_EQ(test_wait(child), 0);
	return 0;
}
