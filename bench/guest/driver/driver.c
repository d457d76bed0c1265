/*
 * Runs benchmark commands one after another inside the guest, each under its own time limit.
 *
 *   driver run FILE      FILE holds NUL-terminated strings, three a command: a name, the limit in seconds,
 *                        and a line for /bin/sh
 *   driver time CMD...   runs CMD and says how long it took from fork to wait, on a line of its own: `elapsed_ns N`
 *
 * What `run` writes to its standard output is a sequence of frames, so nothing that a command prints can be
 * taken for something else. A frame is a line `KIND NAME LENGTH` and LENGTH bytes:
 *
 *   start  the command begins
 *   out    a piece of what it printed, on standard output or standard error
 *   end    how it ended: `exit N`, `signal N` or `limit` (of time or of output), and the nanoseconds it took
 *
 * Every command gets a session, an empty folder under /tmp as its working directory, and a machine without
 * processes of the one before: whatever a command leaves running is killed and reaped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "/tmp/bench"
#define SECOND 1000000000LL
/* No benchmark prints as much: one that does repeats a complaint for ever. */
#define LONGEST_OUTPUT (256 << 10)

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "driver: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			exit(125); /* nobody listens any more */
		data += written;
		size -= written;
	}
}

static void frame(const char *kind, const char *name, const char *data, size_t size)
{
	char line[256];
	int length = snprintf(line, sizeof line, "%s %s %zu\n", kind, name, size);
	write_all(STDOUT_FILENO, line, length);
	write_all(STDOUT_FILENO, data, size);
}

static void on_child(int signal)
{
	(void)signal; /* its only purpose is to interrupt ppoll() */
}

/* Kills and reaps every other process but init: as a subreaper, this one is the parent of them all. */
static void clear_machine(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void remove_folder(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", FOLDER, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* The command's side of fork(). */
static void become(const char *command, int output, const sigset_t *signals)
{
	int input = open("/dev/null", O_RDONLY);
	setsid();
	if (chdir(FOLDER) != 0)
		_exit(125);
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	if (input > 2)
		close(input);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, signals, NULL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Passes on what is in the pipe, waiting for nothing, and returns how much is left of `room`. */
static long drain(const char *name, int fd, long room)
{
	char buffer[16384];
	ssize_t got = 1;
	while (room > 0 && (got > 0 || errno == EINTR)) {
		got = read(fd, buffer, sizeof buffer);
		if (got == 0)
			break;
		if (got > 0) {
			frame("out", name, buffer, got);
			room -= got;
		}
	}
	return room;
}

static void run_one(const char *name, long long limit, const char *command, const sigset_t *signals)
{
	int output[2], status = 0, ended = 0;
	long room = LONGEST_OUTPUT;
	char report[64];

	if (mkdir(FOLDER, 0777) != 0)
		fail(FOLDER);
	if (pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0)
		fail("pipe");
	frame("start", name, "", 0);
	long long start = now(), taken;
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		fcntl(output[1], F_SETFL, 0); /* the reading end is another open file and stays as it is */
		become(command, output[1], signals);
	}
	close(output[1]);
	for (;;) {
		struct pollfd wait = { .fd = output[0], .events = POLLIN };
		/* SIGCHLD is blocked but in ppoll(), so a child that ends after this look interrupts it. */
		ended = waitpid(pid, &status, WNOHANG) == pid;
		taken = now() - start;
		if (ended || taken >= limit || room <= 0)
			break;
		struct timespec left = { (limit - taken) / SECOND, (limit - taken) % SECOND };
		if (ppoll(&wait, output[0] >= 0 ? 1 : 0, &left, signals) <= 0)
			continue;
		room = drain(name, output[0], room);
		if (wait.revents & POLLHUP) {
			/* It closed its output but still runs. */
			close(output[0]);
			output[0] = -1;
		}
	}
	clear_machine();
	if (output[0] >= 0) {
		drain(name, output[0], room);
		close(output[0]);
	}
	remove_folder();
	if (!ended)
		snprintf(report, sizeof report, "limit %lld", taken);
	else if (WIFSIGNALED(status))
		snprintf(report, sizeof report, "signal %d %lld", WTERMSIG(status), taken);
	else
		snprintf(report, sizeof report, "exit %d %lld", WEXITSTATUS(status), taken);
	frame("end", name, report, strlen(report));
}

/* The next of the strings in `file`; NULL at the end. */
static char *next(FILE *file)
{
	char *text = NULL;
	size_t room = 0;
	return getdelim(&text, &room, '\0', file) > 0 ? text : NULL;
}

/* A kernel without a hardware source gathers randomness for its first second: no command is to pay for that wait. */
static void wait_for_randomness(void)
{
	char byte;
	if (getrandom(&byte, 1, 0) != 1)
		fail("getrandom");
}

static int run(const char *path)
{
	struct sigaction action = { .sa_handler = on_child };
	sigset_t child, before;
	char *name, *limit, *command;
	FILE *file = fopen(path, "re");

	if (!file)
		fail(path);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		fail("PR_SET_CHILD_SUBREAPER");
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	sigaction(SIGCHLD, &action, NULL);
	wait_for_randomness();
	while ((name = next(file)) && (limit = next(file)) && (command = next(file))) {
		run_one(name, atoll(limit) * SECOND, command, &before);
		free(name);
		free(limit);
		free(command);
	}
	return 0;
}

static int time_command(char **command)
{
	int status;
	long long start = now();
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		execvp(command[0], command);
		fail(command[0]);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail("wait");
	long long taken = now() - start;
	if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "driver: %s: wait status %#x\n", command[0], status);
		return 1;
	}
	printf("\nelapsed_ns %lld\n", taken);
	return 0;
}

int main(int count, char **words)
{
	if (count == 3 && strcmp(words[1], "run") == 0)
		return run(words[2]);
	if (count >= 3 && strcmp(words[1], "time") == 0)
		return time_command(words + 2);
	fprintf(stderr, "usage: driver run FILE | driver time CMD...\n");
	return 2;
}
