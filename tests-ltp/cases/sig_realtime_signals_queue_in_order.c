/* Real-time signals are queued with their values, the lowest number first; RLIMIT_SIGPENDING bounds them. */
#include "nos_test.h"
#include <sys/resource.h>

int main(void)
{
	sigset_t set;
	siginfo_t info;
	struct timespec none = { 0, 0 };
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 3; i++) {
		OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 10 + i }));
		OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
		OK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 100 + i }));
	}
	/* A standard signal is pending once, with the first one's value. */
	CHECK_EQ(sigtimedwait(&set, &info, &none), SIGUSR1);
	CHECK_EQ(info.si_value.sival_int, 100);
	CHECK_EQ(info.si_code, SI_QUEUE);
	CHECK_EQ(info.si_pid, getpid());
	CHECK_EQ(info.si_uid, getuid());
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(sigtimedwait(&set, &info, &none), SIGRTMIN);
		CHECK_EQ(info.si_value.sival_int, i);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(sigtimedwait(&set, &info, &none), SIGRTMIN + 1);
		CHECK_EQ(info.si_value.sival_int, 10 + i);
	}
	CHECK_ERRNO(sigtimedwait(&set, &info, &none), EAGAIN);

	/* Of a user with nothing else queued. */
	OK(setuid(54321));
	struct rlimit limit = { 2, 2 };
	OK(setrlimit(RLIMIT_SIGPENDING, &limit));
	OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }));
	OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }));
	CHECK_ERRNO(sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }), EAGAIN);
	/* kill(2) always gets through. */
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(sigtimedwait(&set, &info, &none), SIGUSR1);
	return 0;
}
