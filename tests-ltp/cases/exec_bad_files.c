/* execve's errno for what is not a program. */
#include "nos_test.h"

static char *const arguments[] = { "x", NULL };

static void put(const char *name, const char *data, size_t size)
{
	int fd = (int)OK(open(name, O_CREAT | O_TRUNC | O_WRONLY, 0755));
	CHECK_EQ(write(fd, data, size), size);
	OK(close(fd));
}

int main(void)
{
	char header[120] = { 0 };
	CHECK_ERRNO(execve("missing", arguments, NULL), ENOENT);
	CHECK_ERRNO(execve(".", arguments, NULL), EACCES);
	put("text", "hello\n", 6);
	CHECK_ERRNO(execve("./text", arguments, NULL), ENOEXEC);
	put("empty", "", 0);
	CHECK_ERRNO(execve("./empty", arguments, NULL), ENOEXEC);
	put("elf", "\177ELF", 4);
	CHECK_ERRNO(execve("./elf", arguments, NULL), ENOEXEC);
	memcpy(header, "\177ELF\2\1\1", 7);
	header[16] = 2;
	header[18] = 62;
	header[54] = 56;
	put("elf", header, sizeof header);
	CHECK_ERRNO(execve("./elf", arguments, NULL), ENOEXEC);
	put("bad", "#!/no/such/interpreter\n", 23);
	CHECK_ERRNO(execve("./bad", arguments, NULL), ENOENT);
	put("self", "#!./self\n", 9);
	CHECK_ERRNO(execve("./self", arguments, NULL), ELOOP);
	OK(chmod("text", 0644));
	CHECK_ERRNO(execve("./text", arguments, NULL), EACCES);
	CHECK_ERRNO(execve("./text/x", arguments, NULL), ENOTDIR);
	return 0;
}
