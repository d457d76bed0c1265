/* shmat(2): where, SHM_RND, SHM_REMAP, SHM_RDONLY, SHM_EXEC. */
#include "nos_ipc.h"
#include <setjmp.h>

static sigjmp_buf back;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static int can_write(char *place)
{
	if (sigsetjmp(back, 1))
		return 0;
	*(volatile char *)place = 1;
	return 1;
}

int main(void)
{
	int id = (int)OK(shmget(IPC_PRIVATE, 3 * 4096, 0700));
	signal(SIGSEGV, on_fault);
	char *area = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	OK(munmap(area + 4096, 8 * 4096));
	CHECK(shmat(id, area + 4096, 0) == area + 4096);
	OK(shmdt(area + 4096));
	CHECK(shmat(id, area + 4096 + 1, 0) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, area + 4096 + 4095, SHM_RND) == area + 4096);
	/* What is there is kept, unless SHM_REMAP says otherwise. */
	CHECK(shmat(id, area + 2 * 4096, 0) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, area, 0) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, area, SHM_REMAP) == area);
	CHECK(shmat(id, NULL, SHM_REMAP) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, (void *)1, SHM_REMAP | SHM_RND) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(-1, NULL, 0) == (void *)-1 && errno == EINVAL);
	struct shmid_ds data;
	OK(shmctl(id, IPC_STAT, &data));
	CHECK_EQ(data.shm_nattch, 2);
	strcpy(area, "seen");
	CHECK_STR(area + 4096 * 3, "");
	OK(shmdt(area));

	char *readable = shmat(id, NULL, SHM_RDONLY);
	CHECK(readable != (void *)-1);
	CHECK_STR(readable, "seen");
	CHECK(!can_write(readable));
	CHECK_ERRNO(mprotect(readable, 4096, PROT_READ | PROT_WRITE), EACCES);
	OK(shmdt(readable));

	unsigned char *code = shmat(id, NULL, SHM_EXEC);
	CHECK(code != (void *)-1);
	code[0] = 0xc3; /* ret */
	((void (*)(void))code)();
	OK(shmdt(code));
	OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO(shmget(IPC_PRIVATE, 4096, 0600 | SHM_HUGETLB | 5 << 26), EINVAL);
	return 0;
}
