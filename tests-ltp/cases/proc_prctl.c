/* prctl: names, death signal, dumpable, no_new_privs, and arguments that are wrong. */
#include "nos_test.h"
#include <sys/prctl.h>

int main(void)
{
	char name[16];
	int signal_number = -1;
	OK(prctl(PR_SET_NAME, "a name that is too long"));
	OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a name that is ");
	CHECK_ERRNO(prctl(PR_SET_NAME, UNMAPPED_ADDRESS), EFAULT);
	CHECK_ERRNO(prctl(PR_GET_NAME, KERNEL_ADDRESS), EFAULT);
	CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
	OK(prctl(PR_GET_PDEATHSIG, &signal_number));
	CHECK_EQ(signal_number, SIGTERM);
	CHILD({
		OK(prctl(PR_GET_PDEATHSIG, &signal_number));
		CHECK_EQ(signal_number, 0);
	});
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
	OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHILD(CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1));
	CHECK_ERRNO(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	OK(prctl(PR_SET_TIMERSLACK, 1));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1);
	OK(prctl(PR_SET_TIMERSLACK, 0));
	CHECK_ERRNO(prctl(12345), EINVAL);
	return 0;
}
