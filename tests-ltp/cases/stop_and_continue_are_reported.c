/* waitpid with WUNTRACED and WCONTINUED sees a child stop and go on. */
#include "nos_test.h"

int main(void)
{
	int status;
	pid_t child = (pid_t)OK(fork());
	if (child == 0)
		for (;;)
			pause();
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	OK(kill(child, SIGCONT));
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status));
	OK(kill(child, SIGTERM));
	siginfo_t info = { 0 };
	OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGTERM);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WTERMSIG(status), SIGTERM);
	return 0;
}
