/*
 * The first process of every NOS root file system, on NOS and on Linux alike.
 *
 * It mounts the kernel's file systems, brings the loopback device up, then runs one job and powers the
 * machine off. The job comes from /run/nos/job, which `cargo xtask vm` lays over the root file system:
 * NUL-terminated records `key=value`:
 *
 *   arg=WORD      one word of the command, in order; none at all means an interactive login shell
 *   env=NAME=VAL  one environment variable
 *   cwd=DIR       where the command starts (default /root)
 *   port=TTY      the serial port that carries the command's output (default /dev/ttyS1)
 *   tty=TTY       the terminal of the interactive shell (default: the kernel's console)
 *   rows=N cols=N the size of that terminal
 *   nonce=TEXT    marks the end of the output: see report()
 *
 * The command's output goes through a pipe, so it sees what it would see in `cmd | cat`, and from there
 * to the port byte for byte. Its standard input is /run/nos/stdin if that exists, else /dev/null.
 *
 * It uses nothing but plain system calls and carries on when one that it can do without is missing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <net/if.h>

#define MAX_WORDS 512
#define JOB_FILE "/run/nos/job"
#define STDIN_FILE "/run/nos/stdin"
#define MODULES "/run/nos/modules"

struct job {
	char *words[MAX_WORDS + 1];
	int word_count;
	char *environment[MAX_WORDS + 1];
	int environment_count;
	const char *directory;
	const char *port;
	const char *terminal;
	const char *nonce;
	struct winsize size;
};

/* One line on the kernel's console. */
static void say(const char *format, ...)
{
	va_list arguments;
	dprintf(STDERR_FILENO, "init: ");
	va_start(arguments, format);
	vdprintf(STDERR_FILENO, format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "\n");
}

static void mount_at(const char *type, const char *path, mode_t mode, const char *options)
{
	mkdir(path, mode);
	if (mount(type, path, type, MS_NOSUID, options) != 0)
		say("mount %s on %s: %s", type, path, strerror(errno));
}

static void mount_all(void)
{
	mount_at("proc", "/proc", 0555, NULL);
	mount_at("sysfs", "/sys", 0555, NULL);
	mount_at("devtmpfs", "/dev", 0755, NULL);
	mount_at("devpts", "/dev/pts", 0755, "gid=5,mode=620,ptmxmode=666");
	mount_at("tmpfs", "/dev/shm", 01777, "mode=1777");
	mount_at("tmpfs", "/tmp", 01777, "mode=1777");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

/* The console that the kernel gave us may predate the mount of /dev: open the real one. */
static void open_console(void)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY);
	if (console < 0)
		return;
	for (int fd = 0; fd < 3; fd++)
		if (console != fd)
			dup2(console, fd);
	if (console > 2)
		close(console);
}

static void raise_loopback(void)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return; /* a kernel without a network */
	strcpy(request.ifr_name, "lo");
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
		request.ifr_flags |= IFF_UP | IFF_RUNNING;
		ioctl(fd, SIOCSIFFLAGS, &request);
	}
	close(fd);
}

/* Debian's kernel has its virtio drivers as modules: load those that the host laid out, in name order. */
static void load_modules(void)
{
	struct dirent **names;
	int count = scandir(MODULES, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char path[512];
		if (names[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", MODULES, names[i]->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
			say("module %s: %s", names[i]->d_name, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
}

/* Reads the whole of a file; the result is one byte longer than *size and ends in NUL. */
static char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	size_t length = 0, room = 0;
	if (fd < 0)
		return NULL;
	for (;;) {
		if (room - length < 4096) {
			room += 65536;
			data = realloc(data, room + 1);
			if (!data)
				break;
		}
		ssize_t got = read(fd, data + length, room - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += got;
	}
	close(fd);
	if (data)
		data[length] = '\0';
	*size = length;
	return data;
}

static void read_job(struct job *job)
{
	static char *const defaults[] = {
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	};
	size_t size = 0;
	char *data = read_file(JOB_FILE, &size);
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		job->environment[job->environment_count++] = defaults[i];
	for (char *record = data; data && record < data + size; record += strlen(record) + 1) {
		char *value = strchr(record, '=');
		if (!value)
			continue;
		size_t key = value++ - record;
#define KEY(name) (key == sizeof name - 1 && memcmp(record, name, key) == 0)
		if (KEY("arg") && job->word_count < MAX_WORDS)
			job->words[job->word_count++] = value;
		else if (KEY("env") && job->environment_count < MAX_WORDS)
			job->environment[job->environment_count++] = value;
		else if (KEY("cwd"))
			job->directory = value;
		else if (KEY("port"))
			job->port = value;
		else if (KEY("tty"))
			job->terminal = value;
		else if (KEY("nonce"))
			job->nonce = value;
		else if (KEY("rows"))
			job->size.ws_row = atoi(value);
		else if (KEY("cols"))
			job->size.ws_col = atoi(value);
#undef KEY
	}
}

static void power_off(void)
{
	kill(-1, SIGKILL);
	sync();
	reboot(RB_POWER_OFF);
	say("power off: %s", strerror(errno));
	reboot(RB_HALT_SYSTEM);
	for (;;)
		pause();
}

static void write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		data += written;
		size -= written;
	}
}

static void on_child(int signal)
{
	(void)signal; /* its only purpose is to interrupt ppoll() */
}

/* Default dispositions and an empty mask, as login would leave them. */
static void reset_signals(void)
{
	sigset_t none;
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run_command(struct job *job)
{
	if (chdir(job->directory) != 0)
		chdir("/");
	environ = job->environment;
	execvp(job->words[0], job->words);
	int status = errno == ENOENT ? 127 : 126;
	dprintf(STDERR_FILENO, "%s: %s\n", job->words[0], strerror(errno));
	_exit(status);
}

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps every child that has ended; whether `wanted` was among them. */
static int reap(pid_t wanted, int *status)
{
	int found = 0, one;
	pid_t pid;
	while ((pid = waitpid(-1, &one, WNOHANG)) > 0)
		if (pid == wanted) {
			*status = one;
			found = 1;
		}
	return found;
}

static int open_port(const char *path)
{
	struct termios modes;
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && tcgetattr(fd, &modes) == 0) {
		cfmakeraw(&modes);
		modes.c_cflag |= CLOCAL;
		cfsetspeed(&modes, B115200);
		tcsetattr(fd, TCSANOW, &modes);
	}
	return fd;
}

/*
 * The last bytes on the port: the host takes them off and turns them into its own exit status. The nonce is
 * fresh for every run, so no command prints this by chance. Whatever the command left behind is dead by now.
 */
static void report(int port, const struct job *job, int status)
{
	char line[128];
	int length = snprintf(line, sizeof line, "\x1enos-exit %s %d\n", job->nonce, status);
	write_all(port, line, length);
	tcdrain(port);
}

/* Runs the command, passes its output on, and returns its status as a shell would show it. */
static int run_job(struct job *job, int port)
{
	int output[2], status = 0, done = 0;
	char buffer[16384];
	sigset_t child, before;
	struct sigaction action = { .sa_handler = on_child };

	if (pipe2(output, O_CLOEXEC) != 0) {
		say("pipe: %s", strerror(errno));
		return 126;
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	sigaction(SIGCHLD, &action, NULL);

	pid_t pid = fork();
	if (pid < 0) {
		say("fork: %s", strerror(errno));
		return 126;
	}
	if (pid == 0) {
		int input = open(STDIN_FILE, O_RDONLY);
		if (input < 0)
			input = open("/dev/null", O_RDONLY);
		setsid();
		dup2(input, STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		if (input > 2)
			close(input);
		reset_signals();
		run_command(job);
	}
	close(output[1]);
	for (;;) {
		struct pollfd wait = { .fd = output[0], .events = POLLIN };
		if (!done && reap(pid, &status)) {
			done = 1;
			kill(-1, SIGKILL); /* then the pipe has no writer left, and ends */
		}
		if (!done && ppoll(&wait, 1, NULL, &before) < 0)
			continue; /* a child ended */
		ssize_t got = read(output[0], buffer, sizeof buffer);
		if (got > 0)
			write_all(port, buffer, got);
		else if (got == 0 && !done) {
			/* It closed its output but still runs. */
			while (!reap(pid, &status))
				sigsuspend(&before);
			kill(-1, SIGKILL);
			break;
		} else if (got == 0 || errno != EINTR)
			break;
	}
	return shell_status(status);
}

/* The terminal that the kernel's console is on; job control needs its own name. */
static const char *console_terminal(void)
{
	static char path[64] = "/dev/";
	size_t size = 0;
	char *active = read_file("/sys/class/tty/console/active", &size);
	if (!active)
		return "/dev/console";
	active[strcspn(active, "\n")] = '\0';
	char *last = strrchr(active, ' ');
	last = last ? last + 1 : active;
	if (!*last || strlen(last) > sizeof path - 6)
		return "/dev/console";
	strcpy(path + 5, last);
	return path;
}

/* A login shell on the terminal, until the person leaves it. */
static void run_shell(struct job *job)
{
	int status = 0;
	const char *terminal = job->terminal ? job->terminal : console_terminal();
	static char *const shell[] = { "-sh", NULL };
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		int fd = open(terminal, O_RDWR);
		if (fd < 0)
			fd = open("/dev/console", O_RDWR);
		if (fd < 0)
			_exit(126);
		ioctl(fd, TIOCSCTTY, 0);
		if (job->size.ws_row)
			ioctl(fd, TIOCSWINSZ, &job->size);
		for (int target = 0; target < 3; target++)
			dup2(fd, target);
		if (fd > 2)
			close(fd);
		reset_signals();
		if (chdir(job->directory) != 0)
			chdir("/");
		environ = job->environment;
		execv("/bin/sh", shell);
		say("/bin/sh: %s", strerror(errno));
		_exit(127);
	}
	while (pid > 0) {
		pid_t ended = wait(&status);
		if (ended == pid || (ended < 0 && errno == ECHILD))
			break;
	}
}

int main(void)
{
	static struct job job = { .directory = "/root", .port = "/dev/ttyS1", .nonce = "" };

	umask(022);
	mount_all();
	open_console();
	sethostname("nos", 3);
	load_modules();
	raise_loopback();
	read_job(&job);
	if (job.word_count == 0) {
		run_shell(&job);
		power_off();
	}
	int port = open_port(job.port);
	if (port < 0) {
		say("%s: %s", job.port, strerror(errno));
		port = STDOUT_FILENO;
	}
	report(port, &job, run_job(&job, port));
	power_off();
}
