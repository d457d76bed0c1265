/*
 * Pages that were given up lazily are taken back before memory is short: when a program has used more memory than there is and goes to sleep,
 * free memory comes back above the watermarks by itself.
 */
#include "nos_test.h"

#define CHUNK (8L << 20)

static long row(const char *name)
{
	char *text = test_read_file("/proc/meminfo"), *at = strstr(text, name);
	CHECK(at != NULL);
	return atol(at + strlen(name));
}

/* The sum over all zones of a row of /proc/zoneinfo, in KiB. */
static long watermark(const char *name)
{
	char line[256], word[32];
	long pages, sum = 0;
	FILE *file = fopen("/proc/zoneinfo", "r");
	CHECK(file != NULL);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, " %31s %ld", word, &pages) == 2 && strcmp(word, name) == 0)
			sum += pages;
	fclose(file);
	return sum * 4;
}

int main(void)
{
	long total = row("MemTotal:") * 1024, low = watermark("low");
	CHECK(low > 0 && watermark("min") < low && low < watermark("high"));
	if (total > 3L << 30)
		SKIP("filling %ld MiB takes too long", total >> 20);
	for (long used = 0; used < total + total / 8; used += CHUNK) {
		char *memory = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(memory != MAP_FAILED);
		memset(memory, 1, CHUNK);
		OK(madvise(memory, CHUNK, MADV_FREE));
	}
	long free = 0;
	for (int tries = 0; tries < 40 && (free = row("MemFree:")) < low; tries++)
		usleep(100000);
	printf("%ld KiB free, low is %ld\n", free, low);
	if (free < low)
		FAIL("only %ld KiB are free, and %ld are to be", free, low);
	return 0;
}
