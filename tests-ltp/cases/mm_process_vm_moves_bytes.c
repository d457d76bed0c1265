/* process_vm_readv and process_vm_writev between parent and child. */
#define _GNU_SOURCE
#include "nos_test.h"
#include <sys/uio.h>
#include <sys/wait.h>

int main(void)
{
	char *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *private = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2];
	OK(pipe(fds));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char c;
		close(fds[1]);
		strcpy(private + 4090, "across the pages");
		shared[0] = 1;
		read(fds[0], &c, 1);
		_exit(strcmp(private + 8192, "written") ? 1 : 0);
	}
	close(fds[0]);
	while (!*(volatile char *)shared)
		usleep(1000);
	char head[7] = "", tail[32] = "";
	struct iovec local[] = { { head, 6 }, { tail, 11 } };
	struct iovec remote[] = { { private + 4090, 10 }, { private + 4100, 7 } };
	CHECK_EQ(process_vm_readv(child, local, 2, remote, 2, 0), 17);
	CHECK(!strcmp(head, "across"));
	CHECK(!strcmp(tail, " the pages"));
	CHECK_EQ(private[4090], 0);
	char text[] = "written";
	struct iovec from = { text, 8 }, to = { private + 8192, 8 };
	CHECK_EQ(process_vm_writev(child, &from, 1, &to, 1, 0), 8);
	to.iov_base = (void *)8;
	CHECK_ERRNO(process_vm_writev(child, &from, 1, &to, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_readv(child, local, 2, remote, 2, 1), EINVAL);
	CHECK_ERRNO(process_vm_readv(child, local, 2000, remote, 2, 0), EINVAL);
	CHECK_ERRNO(process_vm_readv(999999, local, 2, remote, 2, 0), ESRCH);
	close(fds[1]);
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	return 0;
}
