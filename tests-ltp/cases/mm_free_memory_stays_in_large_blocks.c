/*
 * After mappings, files and pipes of random sizes came and went, less than 15 % of free memory lies in blocks too small for 16 pages, and when all have
 * gone, less than 3 % after some time at rest.
 */
#include "nos_test.h"

#define SLOTS 1000
#define STEPS 3000
#define PIPES 50
#define ORDERS 11
/* Pages that a pipe is filled with. */
#define PIPE_PAGES 16

enum kind { EMPTY, MAPPING, TEXT, PIPE };

static struct {
	enum kind kind;
	size_t size;
	char *mapping;
	int pipe[2];
} slots[SLOTS];
static int pipes;
static char data[4096 * PIPE_PAGES];
static uint64_t state = 88172645463325252u;

static unsigned random_below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % limit;
}

static long free_pages(void)
{
	const char *line = strstr(test_read_file("/proc/meminfo"), "MemFree:");
	CHECK(line != NULL);
	return strtol(line + strlen("MemFree:"), NULL, 10) / 4;
}

/* The pages in free blocks of less than 16, and in all; on Linux a line a zone. */
static void count_blocks(long *small, long *all)
{
	char *text = test_read_file("/proc/buddyinfo");
	*small = *all = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		int node, read = 0;
		char zone[32];
		CHECK_EQ(sscanf(line, "Node %d, zone %31s%n", &node, zone, &read), 2);
		char *rest = line + read;
		for (int order = 0; order < ORDERS; order++) {
			char *end;
			long pages = strtol(rest, &end, 10) << order;
			CHECK(end != rest);
			rest = end;
			*all += pages;
			if (order < 4)
				*small += pages;
		}
	}
	CHECK(*all > 0);
}

static void name_of(int slot, char name[16])
{
	snprintf(name, 16, "file%d", slot);
}

static void fill(int slot, unsigned most_pages)
{
	char name[16];
	size_t size = 4096 * (1 + random_below(most_pages));
	slots[slot].size = size;
	slots[slot].kind = MAPPING + random_below(3);
	if (slots[slot].kind == PIPE && pipes == PIPES)
		slots[slot].kind = TEXT;
	switch (slots[slot].kind) {
	case MAPPING:
		slots[slot].mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(slots[slot].mapping != MAP_FAILED);
		for (size_t at = 0; at < size; at += 4096)
			slots[slot].mapping[at] = 1;
		break;
	case TEXT: {
		name_of(slot, name);
		int fd = (int)OK(open(name, O_CREAT | O_EXCL | O_WRONLY, 0600));
		for (size_t left = size; left > 0;)
			left -= OK(write(fd, data, left < sizeof data ? left : sizeof data));
		OK(close(fd));
		break;
	}
	default:
		OK(pipe2(slots[slot].pipe, O_NONBLOCK));
		CHECK(write(slots[slot].pipe[1], data, sizeof data) > 0);
		pipes++;
	}
}

static void empty(int slot)
{
	char name[16];
	switch (slots[slot].kind) {
	case MAPPING:
		OK(munmap(slots[slot].mapping, slots[slot].size));
		break;
	case TEXT:
		name_of(slot, name);
		OK(unlink(name));
		break;
	default:
		OK(close(slots[slot].pipe[0]));
		OK(close(slots[slot].pipe[1]));
		pipes--;
	}
	slots[slot].kind = EMPTY;
}

int main(void)
{
	long small, all;
	/* Half of the slots are in use on average, half of the largest size each: about two fifths of what is free. */
	unsigned most_pages = free_pages() * 2 / 5 / (SLOTS / 4);
	CHECK(most_pages > 0);
	for (int step = 0; step < STEPS; step++) {
		int slot = random_below(SLOTS);
		if (slots[slot].kind == EMPTY)
			fill(slot, most_pages);
		else
			empty(slot);
	}
	count_blocks(&small, &all);
	printf("%ld of %ld free pages are in blocks of less than 16\n", small, all);
	CHECK(small * 100 < all * 15);
	for (int slot = 0; slot < SLOTS; slot++)
		if (slots[slot].kind != EMPTY)
			empty(slot);
	for (int tries = 0; tries < 20; tries++) {
		count_blocks(&small, &all);
		if (small * 100 < all * 3)
			return 0;
		usleep(200000);
	}
	FAIL("%ld of %ld pages are in small blocks, with nothing in use", small, all);
}
