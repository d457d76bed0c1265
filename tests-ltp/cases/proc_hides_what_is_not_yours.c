/* Memory and files of another user's process are not for everybody; its stat is. */
#include "nos_test.h"

int main(void)
{
	char path[64], target[64];
	pid_t victim = getpid();
	CHILD({
		OK(setresgid(65534, 65534, 65534));
		OK(setresuid(65534, 65534, 65534));
		snprintf(path, sizeof path, "/proc/%d/stat", victim);
		OK(close((int)OK(open(path, O_RDONLY))));
		snprintf(path, sizeof path, "/proc/%d/environ", victim);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof path, "/proc/%d/fd", victim);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof path, "/proc/%d/exe", victim);
		CHECK_ERRNO(readlink(path, target, sizeof target), EACCES);
		snprintf(path, sizeof path, "/proc/%d/cwd", victim);
		CHECK_ERRNO(readlink(path, target, sizeof target), EACCES);
		snprintf(path, sizeof path, "/proc/%d/comm", victim);
		CHECK_ERRNO(open(path, O_WRONLY), EACCES);
	});
	return 0;
}
