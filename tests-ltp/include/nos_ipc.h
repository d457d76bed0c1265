/* What cases about System V IPC share. */
#ifndef NOS_IPC_H
#define NOS_IPC_H

#include "nos_test.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

/* One operation on one semaphore. */
static inline int sem_one(int id, unsigned short number, short change, short flags)
{
	struct sembuf operation = { number, change, flags };
	return semop(id, &operation, 1);
}

static inline int sem_value(int id, int number)
{
	return (int)OK(semctl(id, number, GETVAL));
}

static inline void sem_set(int id, int number, int value)
{
	OK(semctl(id, number, SETVAL, (union semun){ .val = value }));
}

static inline void sem_remove(int id)
{
	OK(semctl(id, 0, IPC_RMID));
}

/* Waits until `command` (GETNCNT, GETZCNT) tells that so many wait. */
static inline void sem_await(int id, int number, int command, int count)
{
	for (int i = 0; i < 5000; i++) {
		if (OK(semctl(id, number, command)) == count)
			return;
		usleep(1000);
	}
	FAIL("not %d waiters, but %d", count, semctl(id, number, command));
}

/* Waits until the process sleeps. */
static inline void await_sleep(pid_t pid)
{
	char path[64], state;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	for (int i = 0; i < 5000; i++) {
		char *text = strrchr(test_read_file(path), ')');
		CHECK(text && sscanf(text, ") %c", &state) == 1);
		if (state == 'S')
			return;
		usleep(1000);
	}
	FAIL("process %d does not sleep", pid);
}

/* A message with room for a small text. */
struct message {
	long type;
	char text[64];
};

static inline int send_text(int id, long type, const char *text, int flags)
{
	struct message message = { type, "" };
	snprintf(message.text, sizeof message.text, "%s", text);
	return msgsnd(id, &message, strlen(text), flags);
}

/* Receives into a static buffer, as a string; NULL on an error. */
static inline char *receive_text(int id, long type, int flags)
{
	static struct message message;
	ssize_t got = msgrcv(id, &message, sizeof message.text - 1, type, flags);
	if (got < 0)
		return NULL;
	message.text[got] = '\0';
	return message.text;
}

static inline void do_nothing(int signal)
{
	(void)signal;
}

/* A handler that asks for interrupted calls to be restarted. */
static inline void handle_with_restart(int signal)
{
	struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
	OK(sigaction(signal, &action, NULL));
}

/* Gives root up for a user and group of no meaning. */
static inline void become_user(int id)
{
	OK(setgid(id));
	OK(setuid(id));
}

#endif
