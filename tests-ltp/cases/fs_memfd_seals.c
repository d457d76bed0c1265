/* memfd_create: a file without a name, and the seals that keep it as it is. */
#include "nos_test.h"

int main(void)
{
	char link[128], path[64];
	int plain = (int)OK(memfd_create("plain", 0));
	CHECK_EQ(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERRNO(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	int fd = (int)OK(memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t n = OK(readlink(path, link, sizeof link - 1));
	link[n] = 0;
	CHECK_STR(link, "/memfd:name (deleted)");
	OK(ftruncate(fd, 8192));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_ERRNO(ftruncate(fd, 8193), EPERM);
	CHECK_ERRNO(pwrite(fd, "x", 1, 8192), EPERM);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK_ERRNO(ftruncate(fd, 0), EPERM);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERRNO(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	int file = (int)OK(open("/dev/null", O_RDWR));
	CHECK_ERRNO(fcntl(file, F_GET_SEALS), EINVAL);
	CHECK_ERRNO(memfd_create("x", 0x40), EINVAL);
	return 0;
}
