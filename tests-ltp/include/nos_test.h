/*
 * What a guest case needs. A case is one C file that checks one behaviour and is named after it; it exits
 * with 0 if the kernel has that behaviour, 1 if not, 32 (LTP's TCONF) if it cannot tell here.
 *
 * The runner starts it in an empty folder of its own, in its own session, with /dev/null as standard input.
 * A case must pass on Linux: where it does not, the case is wrong.
 */
#ifndef NOS_TEST_H
#define NOS_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef STATX_TYPE /* musl before 1.2.5 has no statx */
#include <linux/stat.h>
static inline int statx(int folder, const char *path, int flags, unsigned int mask, struct statx *result)
{
	return (int)syscall(SYS_statx, folder, path, flags, mask, result);
}
#endif

#define TEST_FAILED 1
#define TEST_SKIPPED 32

/* Ends the case (or the child) as failed, with a message. */
#define FAIL(...) \
	do { \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
		_exit(TEST_FAILED); \
	} while (0)

/* Ends the case as one that cannot tell here. */
#define SKIP(...) \
	do { \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
		_exit(TEST_SKIPPED); \
	} while (0)

/* The condition must hold. */
#define CHECK(condition) \
	do { \
		errno = 0; \
		if (!(condition)) \
			FAIL("%s (errno %d, %s)", #condition, errno, strerror(errno)); \
	} while (0)

/* Two integers must be equal. */
#define CHECK_EQ(actual, expected) \
	do { \
		errno = 0; \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected); \
		if (actual_ != expected_) \
			FAIL("%s is %lld, not %lld (errno %d, %s)", #actual, actual_, expected_, errno, strerror(errno)); \
	} while (0)

/* Two strings must be equal. */
#define CHECK_STR(actual, expected) \
	do { \
		const char *actual_ = (actual), *expected_ = (expected); \
		if (strcmp(actual_, expected_) != 0) \
			FAIL("%s is \"%s\", not \"%s\"", #actual, actual_, expected_); \
	} while (0)

/* A system call must not fail; the value is its result. */
#define OK(call) \
	({ \
		errno = 0; \
		long long result_ = (long long)(call); \
		if (result_ == -1) \
			FAIL("%s: errno %d, %s", #call, errno, strerror(errno)); \
		result_; \
	})

/* A system call must fail with exactly this errno. */
#define CHECK_ERRNO(call, expected) \
	do { \
		errno = 0; \
		long long result_ = (long long)(call); \
		int errno_ = errno; \
		if (result_ != -1) \
			FAIL("%s returned %lld, not " #expected, #call, result_); \
		if (errno_ != (expected)) \
			FAIL("%s: errno %d (%s), not " #expected, #call, errno_, strerror(errno_)); \
	} while (0)

/* Waits for a child and returns its status as wait gives it. */
static inline int test_wait(pid_t pid)
{
	int status = -1;
	pid_t waited;
	do
		waited = waitpid(pid, &status, 0);
	while (waited < 0 && errno == EINTR);
	if (waited != pid)
		FAIL("waitpid(%d) returned %d, %s", pid, waited, strerror(errno));
	return status;
}

/* Runs the statements in a child, which then exits with 0; the case fails unless it does. */
#define CHILD(...) \
	do { \
		pid_t child_ = (pid_t)OK(fork()); \
		if (child_ == 0) { \
			__VA_ARGS__; \
			_exit(0); \
		} \
		CHECK_EQ(test_wait(child_), 0); \
	} while (0)

/* An address that no program may touch: in the kernel's half. */
#define KERNEL_ADDRESS ((void *)0xffffffff80000000UL)
/* An address where nothing is mapped. */
#define UNMAPPED_ADDRESS ((void *)0x10UL)

/* Microseconds on the monotonic clock. */
static inline int64_t test_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Writes a whole small file. */
static inline void test_write_file(const char *path, const char *text)
{
	int fd = (int)OK(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644));
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

/* Reads a file into a static buffer and returns it as a string. */
static inline char *test_read_file(const char *path)
{
	static char buffer[65536];
	size_t length = 0;
	ssize_t got;
	int fd = (int)OK(open(path, O_RDONLY));
	while (length < sizeof buffer - 1 && (got = OK(read(fd, buffer + length, sizeof buffer - 1 - length))) > 0)
		length += got;
	buffer[length] = '\0';
	OK(close(fd));
	return buffer;
}

#endif
