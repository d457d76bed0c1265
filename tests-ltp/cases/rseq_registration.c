/* rseq(2): registering and its errors, what the kernel keeps in the structure, and who inherits it. */
#include "nos_rseq.h"
#include <pthread.h>

static struct rseq_area area, other;

static void refuses(void)
{
	char *room = (char *)&other;
	CHECK_ERRNO(rseq_call(room + 8, 32, 0, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&other, 31, 0, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&other, 0, 0, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&other, 32, 2, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&other, 32, -1, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(KERNEL_ADDRESS, 32, 0, RSEQ_SIGNATURE), EFAULT);
	CHECK_ERRNO(rseq_call(&other, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(NULL, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE), EINVAL);
}

static void knows_its_registration(void)
{
	CHECK_ERRNO(rseq_call(&area, 32, 0, RSEQ_SIGNATURE), EBUSY);
	CHECK_ERRNO(rseq_call(&area, 32, 0, RSEQ_SIGNATURE + 1), EPERM);
	CHECK_ERRNO(rseq_call(&area, 64, 0, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&other, 32, 0, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&other, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&area, 64, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE), EINVAL);
	CHECK_ERRNO(rseq_call(&area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE + 1), EPERM);
	CHECK_ERRNO(rseq_call(&area, 32, RSEQ_FLAG_UNREGISTER | 2, RSEQ_SIGNATURE), EINVAL);
}

static void *thread(void *argument)
{
	struct rseq_area own = { .cpu_id = -1u };
	(void)argument;
	rseq_register(&own);
	CHECK(own.cpu_id != -1u);
	/* The C library gives the stack back before the thread is gone. */
	OK(rseq_call(&own, sizeof own, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE));
	return NULL;
}

int main(int count, char **arguments)
{
	(void)arguments;
	if (count > 1) {
		/* After execve: not registered. */
		rseq_register(&area);
		return 0;
	}
	refuses();
	area.cpu_id = -1u;
	rseq_register(&area);
	knows_its_registration();

	int cpus[64], number = rseq_cpus(cpus, 64);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < number; i++) {
			rseq_pin(cpus[i]);
			CHECK_EQ(area.cpu_id, cpus[i]);
			CHECK_EQ(area.cpu_id_start, cpus[i]);
		}

	/* A child process has a copy, on the CPU where it is; a thread and a new program have nothing. */
	CHILD({
		rseq_pin(cpus[0]);
		CHECK_EQ(area.cpu_id, cpus[0]);
		CHECK_ERRNO(rseq_call(&area, 32, 0, RSEQ_SIGNATURE), EBUSY);
	});
	CHILD(execl("/proc/self/exe", "self", "again", (char *)NULL); _exit(1));
	pthread_t id;
	CHECK_EQ(pthread_create(&id, NULL, thread, NULL), 0);
	CHECK_EQ(pthread_join(id, NULL), 0);

	OK(rseq_call(&area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE));
	CHECK_EQ(area.cpu_id, -1u);
	CHECK_EQ(area.cpu_id_start, 0);
	rseq_pin(cpus[0]);
	CHECK_EQ(area.cpu_id, -1u);
	CHECK_ERRNO(rseq_call(&area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIGNATURE), EINVAL);
	rseq_register(&area);
	CHECK_EQ(area.cpu_id, cpus[0]);
	return 0;
}
