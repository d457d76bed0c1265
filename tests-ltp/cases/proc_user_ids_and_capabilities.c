/* set*id, capget and capset: what root may do, what is lost, and what can come back. */
#include "nos_test.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

static struct __user_cap_data_struct sets[2];

static long capabilities(int call)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	return syscall(call, &header, sets);
}

static uint32_t effective(void)
{
	OK(capabilities(SYS_capget));
	return sets[0].effective;
}

int main(void)
{
	uid_t r, e, s;
	struct __user_cap_header_struct bad = { 1, 0 };
	if (getuid() != 0)
		SKIP("needs root");
	CHECK_ERRNO(syscall(SYS_capget, &bad, sets), EINVAL);
	CHECK_EQ(bad.version, _LINUX_CAPABILITY_VERSION_3);
	CHECK_ERRNO(syscall(SYS_setuid, -1), EINVAL);
	CHECK(effective() & (1 << CAP_KILL));
	CHILD({
		/* For good. */
		OK(syscall(SYS_setresgid, 100, 100, 100));
		OK(syscall(SYS_setuid, 1000));
		OK(syscall(SYS_getresuid, &r, &e, &s));
		CHECK_EQ(r, 1000);
		CHECK_EQ(e, 1000);
		CHECK_EQ(s, 1000);
		CHECK_EQ(effective(), 0);
		CHECK_ERRNO(syscall(SYS_setuid, 0), EPERM);
		CHECK_ERRNO(syscall(SYS_setresuid, -1, 0, -1), EPERM);
		CHECK_ERRNO(syscall(SYS_setgroups, 0, NULL), EPERM);
		CHECK_ERRNO(syscall(SYS_setgid, 0), EPERM);
		OK(syscall(SYS_setresuid, -1, 1000, -1));
		CHECK_EQ(syscall(SYS_setfsuid, 0), 1000);
		CHECK_EQ(syscall(SYS_setfsuid, -1), 1000);
	});
	CHILD({
		/* For a while: the saved id brings the powers back. */
		OK(syscall(SYS_setresuid, -1, 1000, -1));
		CHECK_EQ(effective(), 0);
		CHECK(sets[0].permitted != 0);
		OK(syscall(SYS_setresuid, -1, 0, -1));
		CHECK(effective() & (1 << CAP_KILL));
	});
	CHILD({
		/* setreuid moves the saved id along. */
		OK(syscall(SYS_setreuid, 1000, 1001));
		OK(syscall(SYS_getresuid, &r, &e, &s));
		CHECK_EQ(r, 1000);
		CHECK_EQ(e, 1001);
		CHECK_EQ(s, 1001);
		OK(syscall(SYS_setreuid, 1001, 1000));
		CHECK_ERRNO(syscall(SYS_setreuid, 0, -1), EPERM);
	});
	CHILD({
		/* Kept over a change of user. */
		OK(prctl(PR_SET_KEEPCAPS, 1));
		OK(syscall(SYS_setuid, 1000));
		CHECK_EQ(effective(), 0);
		CHECK(sets[0].permitted & (1 << CAP_KILL));
		sets[0].effective = 1 << CAP_KILL;
		OK(capabilities(SYS_capset));
		CHECK_EQ(effective(), 1 << CAP_KILL);
	});
	CHILD({
		/* What is dropped stays dropped. */
		effective();
		sets[0].effective &= ~(1 << CAP_KILL);
		sets[0].permitted &= ~(1 << CAP_KILL);
		OK(capabilities(SYS_capset));
		sets[0].permitted |= 1 << CAP_KILL;
		CHECK_ERRNO(capabilities(SYS_capset), EPERM);
		/* Effective without permitted. */
		effective();
		sets[0].effective |= 1 << CAP_KILL;
		CHECK_ERRNO(capabilities(SYS_capset), EPERM);
	});
	CHILD({
		gid_t groups[3];
		groups[0] = 30;
		groups[1] = 10;
		groups[2] = 20;
		OK(syscall(SYS_setgroups, 3, groups));
		CHECK_EQ(syscall(SYS_getgroups, 0, NULL), 3);
		CHECK_ERRNO(syscall(SYS_getgroups, 2, groups), EINVAL);
		CHECK_ERRNO(syscall(SYS_getgroups, -1, groups), EINVAL);
		CHECK_EQ(syscall(SYS_getgroups, 3, groups), 3);
		CHECK_EQ(groups[0], 10);
		CHECK_EQ(groups[2], 30);
		CHECK_ERRNO(syscall(SYS_setgroups, 65537, groups), EINVAL);
	});
	CHILD({
		OK(prctl(PR_CAPBSET_DROP, CAP_KILL));
		CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL), 0);
		CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
		CHECK_ERRNO(prctl(PR_CAPBSET_READ, 64), EINVAL);
	});
	return 0;
}
