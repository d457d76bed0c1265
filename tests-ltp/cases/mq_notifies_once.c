/* mq_notify(2): once, when a message comes to the empty queue and nobody waits; one process at a time. */
#include "nos_mq.h"

static mqd_t queue;

/* The signal that comes within 300 ms, or none. */
static int next_signal(siginfo_t *info)
{
	sigset_t set;
	struct timespec limit = { 0, 300000000 };
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, info, &limit);
}

int main(void)
{
	sigset_t set;
	siginfo_t info;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	queue = mq_fresh("/notify", 3, 64, 0);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	event.sigev_value.sival_ptr = (void *)0x123456789a;
	OK(mq_notify(queue, &event));
	CHECK_ERRNO(mq_notify(queue, &event), EBUSY);
	CHILD({
		CHECK_ERRNO(mq_notify(queue, &event), EBUSY);
		/* Not its registration to end. */
		OK(mq_notify(queue, NULL));
		OK(mq_put(queue, "one", 0));
	});
	CHECK_EQ(next_signal(&info), SIGUSR1);
	CHECK_EQ(info.si_code, SI_MESGQ);
	CHECK(info.si_value.sival_ptr == (void *)0x123456789a);
	CHECK(info.si_pid > 0 && info.si_pid != getpid());
	CHECK_EQ(info.si_uid, 0);
	/* It is over; and a queue that is not empty tells nothing. */
	OK(mq_notify(queue, &event));
	OK(mq_put(queue, "two", 0));
	CHECK_ERRNO(next_signal(&info), EAGAIN);
	CHECK_STR(mq_take(queue, NULL), "one");
	CHECK_STR(mq_take(queue, NULL), "two");
	/* Somebody waits: the message is its. */
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		CHECK_STR(mq_take(queue, NULL), "direct");
		_exit(0);
	}
	mq_await_sleep(child);
	OK(mq_put(queue, "direct", 0));
	CHECK_EQ(test_wait(child), 0);
	CHECK_ERRNO(next_signal(&info), EAGAIN);
	OK(mq_put(queue, "told", 0));
	CHECK_EQ(next_signal(&info), SIGUSR1);
	CHECK_EQ(info.si_pid, getpid());
	CHECK_STR(mq_take(queue, NULL), "told");
	/* Ended by hand, by any close, by the end of the process. */
	OK(mq_notify(queue, &event));
	OK(mq_notify(queue, NULL));
	CHILD(OK(mq_notify(queue, &event)));
	OK(mq_notify(queue, &event));
	OK(close((int)OK(dup(queue))));
	CHILD(OK(mq_notify(queue, &event)));
	event.sigev_notify = SIGEV_NONE;
	OK(mq_notify(queue, &event));
	CHECK_ERRNO(mq_notify(queue, &event), EBUSY);
	OK(mq_put(queue, "x", 0));
	OK(mq_notify(queue, &event));
	OK(mq_notify(queue, NULL));
	/* What is refused. */
	event.sigev_notify = 99;
	CHECK_ERRNO(mq_notify(queue, &event), EINVAL);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = 65;
	CHECK_ERRNO(mq_notify(queue, &event), EINVAL);
	event.sigev_signo = SIGUSR1;
	CHECK_ERRNO(mq_notify(0, &event), EBADF);
	CHECK_ERRNO(syscall(SYS_mq_notify, queue, UNMAPPED_ADDRESS), EFAULT);
	char cookie[32];
	event.sigev_notify = SIGEV_THREAD;
	event.sigev_value.sival_ptr = cookie;
	event.sigev_signo = -1;
	CHECK_ERRNO(syscall(SYS_mq_notify, queue, &event), EBADF);
	event.sigev_signo = 0;
	CHECK_ERRNO(syscall(SYS_mq_notify, queue, &event), ENOTSOCK);
	event.sigev_value.sival_ptr = UNMAPPED_ADDRESS;
	CHECK_ERRNO(syscall(SYS_mq_notify, queue, &event), EFAULT);
	return 0;
}
