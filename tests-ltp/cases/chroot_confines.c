/* After chroot, / and .. end at the new root. */
#include "nos_test.h"

int main(void)
{
	char buffer[128];
	OK(mkdir("jail", 0755));
	OK(mkdir("jail/in", 0755));
	OK(symlink("/in", "jail/link"));
	CHILD({
		OK(chroot("jail"));
		OK(chdir("/"));
		CHECK_STR(getcwd(buffer, sizeof buffer), "/");
		OK(access("/in", F_OK));
		OK(access("/../../in", F_OK));
		OK(chdir("/link"));
		CHECK_STR(getcwd(buffer, sizeof buffer), "/in");
		CHECK_ERRNO(access("/bin/sh", F_OK), ENOENT);
	});
	OK(access("/bin/sh", F_OK));
	return 0;
}
