/* A program is started with the auxiliary vector that libc relies on. */
#include "nos_test.h"
#include <elf.h>
#include <sys/auxv.h>

int main(int count, char **arguments)
{
	(void)count;
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK(getauxval(AT_PHDR) != 0);
	CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
	CHECK(getauxval(AT_PHNUM) > 0);
	CHECK(getauxval(AT_ENTRY) != 0);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EGID), getegid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	CHECK(random);
	unsigned sum = 0;
	for (int i = 0; i < 16; i++)
		sum += random[i];
	CHECK(sum != 0);
	CHECK_STR((char *)getauxval(AT_PLATFORM), "x86_64");
	const char *path = (char *)getauxval(AT_EXECFN);
	CHECK(path && strstr(path, arguments[0]));
	return 0;
}
