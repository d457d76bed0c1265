/*
 * Runs the programs in a folder one after the other, each under a time limit, and reports in TAP.
 *
 *     runner FOLDER SECONDS [NAME…]
 *
 * Every program runs in a session of its own, in an empty folder under /tmp, with /dev/null as standard
 * input. A name with a folder in it (futex/futex_wait) runs in that folder, and may be followed by the
 * program's arguments, between blanks. Exit statuses are LTP's: 0 passed, 32 skipped, all else failed. Before a case starts, "# run NAME"
 * says so: if the kernel then dies, the host knows what was running.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIPPED 32
#define OUTPUT_LIMIT (256 << 10)
#define MOST_WORDS 32

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* What the case printed, as TAP diagnostics. */
static void print_output(const char *text, size_t size)
{
	for (size_t i = 0; i < size;) {
		size_t end = i;
		while (end < size && text[end] != '\n')
			end++;
		printf("# %.*s\n", (int)(end - i), text + i);
		i = end + 1;
	}
}

static void run_child(const char *folder, const char *command, const char *work, int output)
{
	static char words[4096], path[8192], program[8192];
	char *arguments[MOST_WORDS + 1] = { NULL };
	int count = 0;
	sigset_t none;
	int input = open("/dev/null", O_RDONLY);
	setsid();
	dup2(input, 0);
	dup2(output, 1);
	dup2(output, 2);
	if (input > 2)
		close(input);
	if (output > 2)
		close(output);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(words, sizeof words, "%s", command);
	for (char *word = strtok(words, " "); word && count < MOST_WORDS; word = strtok(NULL, " "))
		arguments[count++] = word;
	snprintf(path, sizeof path, "%s/%s", folder, words);
	char *base = strrchr(words, '/');
	if (base) {
		snprintf(program, sizeof program, ".%s", base);
		*strrchr(path, '/') = '\0';
		work = path;
		arguments[0] = program;
	} else
		snprintf(program, sizeof program, "%s", path);
	if (chdir(work) != 0)
		_exit(126);
	execv(program, arguments);
	fprintf(stderr, "exec %s: %s\n", program, strerror(errno));
	_exit(127);
}

/* Runs one case and prints its line; what it left running is killed with its session. */
static void run_case(int number, const char *folder, const char *name, double limit)
{
	static char text[OUTPUT_LIMIT];
	char work[128];
	size_t size = 0;
	int output[2], status = 0, ended = 0, timed_out = 0;
	double start = now();

	printf("# run %s\n", name);
	fflush(stdout);
	snprintf(work, sizeof work, "/tmp/case-%d", number);
	mkdir(work, 0777);
	if (pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) {
		printf("not ok %d - %s # pipe: %s\n", number, name, strerror(errno));
		return;
	}
	pid_t pid = fork();
	if (pid < 0) {
		printf("not ok %d - %s # fork: %s\n", number, name, strerror(errno));
		return;
	}
	if (pid == 0) {
		fcntl(output[1], F_SETFL, 0);
		run_child(folder, name, work, output[1]);
	}
	close(output[1]);
	for (;;) {
		struct pollfd wait = { .fd = output[0], .events = POLLIN };
		int ready = poll(&wait, 1, ended ? 0 : 10);
		if (ready > 0) {
			char overflow[512];
			int full = size == sizeof text;
			ssize_t got = full ? read(output[0], overflow, sizeof overflow)
					   : read(output[0], text + size, sizeof text - size);
			if (got > 0 && !full)
				size += got;
			if (got > 0)
				continue;
			if (got == 0 && !ended)
				usleep(1000); /* it closed its output, and runs on */
		}
		if (ended)
			break;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			ended = 1;
			continue; /* once more, for the last of the output */
		}
		if (now() - start > limit && !timed_out) {
			timed_out = 1;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
	}
	kill(-pid, SIGKILL);
	close(output[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	print_output(text, size);
	double seconds = now() - start;
	if (timed_out)
		printf("not ok %d - %s # timed out after %.0f s\n", number, name, limit);
	else if (WIFSIGNALED(status))
		printf("not ok %d - %s # killed by signal %d\n", number, name, WTERMSIG(status));
	else if (WEXITSTATUS(status) == SKIPPED)
		printf("ok %d - %s # SKIP\n", number, name);
	else if (WEXITSTATUS(status) != 0)
		printf("not ok %d - %s # exit status %d\n", number, name, WEXITSTATUS(status));
	else
		printf("ok %d - %s # %.2f s\n", number, name, seconds);
	fflush(stdout);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int count, char **arguments)
{
	struct dirent **names;
	int total = 0;

	if (count < 3) {
		fprintf(stderr, "usage: runner FOLDER SECONDS [NAME...]\n");
		return 2;
	}
	double limit = atof(arguments[2]);
	printf("TAP version 13\n");
	if (count > 3) {
		for (int i = 3; i < count; i++)
			run_case(++total, arguments[1], arguments[i], limit);
	} else {
		int found = scandir(arguments[1], &names, is_case, alphasort);
		for (int i = 0; i < found; i++)
			run_case(++total, arguments[1], names[i]->d_name, limit);
	}
	printf("1..%d\n", total);
	return 0;
}
