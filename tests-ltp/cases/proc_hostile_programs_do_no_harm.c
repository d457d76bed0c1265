/* Programs whose headers lie: an error that leaves the caller alone, or the caller's end by SIGSEGV; never more. */
#include "nos_test.h"
#include <elf.h>
#include <stddef.h>

static struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	char code[64];
} good, image;

/* The end of a child that runs the image: 0 for an errno that fits, else its wait status. */
static int run(int expected_errno)
{
	int fd = (int)OK(open("program", O_CREAT | O_TRUNC | O_WRONLY, 0755));
	CHECK_EQ(write(fd, &image, sizeof image), sizeof image);
	OK(close(fd));
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		execl("./program", "program", NULL);
		if (errno != expected_errno)
			FAIL("errno %d (%s), not %d", errno, strerror(errno), expected_errno);
		_exit(0);
	}
	int status = test_wait(child);
	image = good;
	return status;
}

int main(void)
{
	static const char code[] = "\xb8\x3c\0\0\0\xbf\x2a\0\0\0\x0f\x05"; /* exit(42) */
	memcpy(good.header.e_ident, ELFMAG "\2\1\1", 7);
	good.header.e_type = ET_EXEC;
	good.header.e_machine = EM_X86_64;
	good.header.e_version = 1;
	good.header.e_entry = 0x400000 + offsetof(struct image, code);
	good.header.e_phoff = sizeof(Elf64_Ehdr);
	good.header.e_ehsize = sizeof(Elf64_Ehdr);
	good.header.e_phentsize = sizeof(Elf64_Phdr);
	good.header.e_phnum = 1;
	good.segments[0] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_X, 0, 0x400000, 0, sizeof good, sizeof good, 0x1000 };
	memcpy(good.code, code, sizeof code);
	image = good;
	CHECK_EQ(WEXITSTATUS(run(0)), 42);

	image.header.e_machine = EM_386;
	CHECK_EQ(run(ENOEXEC), 0);
	image.header.e_type = ET_REL;
	CHECK_EQ(run(ENOEXEC), 0);
	image.header.e_phnum = 0;
	CHECK_EQ(run(ENOEXEC), 0);
	image.header.e_phnum = 0xffff;
	CHECK_EQ(run(ENOEXEC), 0);
	image.header.e_phoff = 1 << 20;
	CHECK_EQ(run(ENOEXEC), 0);
	image.header.e_phoff = -1;
	CHECK(WIFSIGNALED(run(ENOEXEC)) == 0);

	/* The interpreter: a path too short, without its end, of something else. */
	image.header.e_phnum = 2;
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 1 };
	CHECK_EQ(run(ENOEXEC), 0);
	image.header.e_phnum = 2;
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 4, .p_offset = 0 };
	CHECK_EQ(run(ENOEXEC), 0);
	image.header.e_phnum = 2;
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 13,
					  .p_offset = offsetof(struct image, code) };
	memcpy(image.code, "/no/such/file", 13);
	image.code[12] = '\0';
	CHECK_EQ(run(ENOENT), 0);
	image.header.e_phnum = 2;
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 12,
					  .p_offset = offsetof(struct image, code) };
	memcpy(image.code, "/proc/uptime", 12);
	image.code[11] = '\0';
	CHECK_EQ(run(ENOENT), 0);

	/* Segments that cannot be: too late for an errno. */
	image.segments[0].p_memsz = 1;
	CHECK_EQ(run(0) & 0x7f, SIGSEGV);
	image.segments[0].p_vaddr = 0xffff800000000000;
	CHECK_EQ(run(0) & 0x7f, SIGSEGV);
	image.segments[0].p_memsz = 1ULL << 60;
	CHECK_EQ(run(0) & 0x7f, SIGSEGV);
	image.segments[0].p_offset = 8;
	CHECK_EQ(run(0) & 0x7f, SIGSEGV);
	image.header.e_entry = 0xffffffff80000000;
	CHECK_EQ(run(0) & 0x7f, SIGSEGV);
	image.header.e_entry = 0;
	CHECK_EQ(run(0) & 0x7f, SIGSEGV);
	image.segments[0].p_flags = PF_R;
	CHECK_EQ(run(0) & 0x7f, SIGSEGV);
	return 0;
}
