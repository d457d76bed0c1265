/* F_SEAL_WRITE: not while somebody may write through a mapping; then no mapping becomes writable. */
#include "nos_test.h"

static void *map(int fd, int protection, int flags)
{
	void *memory = mmap(NULL, 4096, protection, flags, fd, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

static int make(void)
{
	int fd = (int)OK(memfd_create("sealed", MFD_ALLOW_SEALING));
	OK(ftruncate(fd, 8192));
	return fd;
}

int main(void)
{
	int fd = make();
	char *writable = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));

	/* A fork's copy counts, too. */
	int go[2];
	OK(pipe(go));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		char byte;
		OK(close(go[1]));
		_exit((int)read(go[0], &byte, 1));
	}
	OK(munmap(writable, 4096));
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	OK(close(go[1]));
	CHECK_EQ(WEXITSTATUS(test_wait(child)), 0);

	/* So does one that may become writable, and a part that is left of one. */
	char *readable = map(fd, PROT_READ, MAP_SHARED);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	OK(munmap(readable, 4096));
	char *both = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(both != MAP_FAILED);
	OK(munmap(both, 4096));
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	OK(munmap(both + 4096, 4096));

	/* Private ones do not. */
	char *own = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	own[0] = 1;
	readable = map(fd, PROT_READ, MAP_SHARED);
	CHECK_ERRNO(mprotect(readable, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK_ERRNO(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EPERM);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));

	/* F_SEAL_FUTURE_WRITE leaves those that there are. */
	fd = make();
	writable = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	writable[0] = 1;
	readable = map(fd, PROT_READ, MAP_SHARED);
	CHECK_EQ(readable[0], 1);
	CHECK_ERRNO(mprotect(readable, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	return 0;
}
