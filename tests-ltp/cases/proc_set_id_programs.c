/* A set-user-ID program runs with its owner's id, unless no_new_privs; AT_SECURE tells it. */
#include "nos_test.h"
#include <sys/auxv.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	if (argc == 2) {
		uid_t r, e, s;
		OK(getresuid(&r, &e, &s));
		int set = atoi(argv[1]);
		CHECK_EQ(r, 1000);
		CHECK_EQ(e, set ? 2000 : 1000);
		CHECK_EQ(s, e);
		CHECK_EQ(getauxval(AT_SECURE), set);
		CHECK_EQ(getauxval(AT_EUID), e);
		CHECK_EQ(getauxval(AT_UID), 1000);
		return 0;
	}
	if (getuid() != 0)
		SKIP("needs root");
	char command[300];
	/* Not in the own folder: its file system may be mounted nosuid. */
	snprintf(command, sizeof command, "cp /proc/%d/exe /set-id && chown 2000 /set-id && chmod 4755 /set-id", getpid());
	if (system(command) != 0)
		SKIP("cannot make the program");
	for (int set = 1; set >= 0; set--) {
		pid_t child = (pid_t)OK(fork());
		if (child == 0) {
			OK(setuid(1000));
			if (!set)
				OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
			execl("/set-id", "set-id", set ? "1" : "0", NULL);
			FAIL("execl: %s", strerror(errno));
		}
		CHECK_EQ(test_wait(child), 0);
	}
	OK(unlink("/set-id"));
	return 0;
}
