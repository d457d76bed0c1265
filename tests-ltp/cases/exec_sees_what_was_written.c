/* A program that is run again after its file was changed is the new one, however the change came about: what the kernel may have kept of
   the old one is not used. And who may write to a file that runs. */
#include "nos_test.h"
#include <elf.h>
#include <stddef.h>

struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	unsigned char code[12];
};

/* A program that lies at `address` and ends with `status`; each has its own layout. */
static struct program program(unsigned long address, unsigned char status)
{
	struct program it = {
		.header = {
			.e_ident = "\177ELF\2\1\1", .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
			.e_entry = address + offsetof(struct program, code),
			.e_phoff = offsetof(struct program, segment),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = address, .p_paddr = address,
			.p_filesz = sizeof(struct program), .p_memsz = sizeof(struct program), .p_align = 4096,
		},
		/* mov $status, %edi; mov $60, %eax; syscall */
		.code = { 0xbf, status, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 },
	};
	return it;
}

/* Writes it to an open file, from the start. */
static void put(int fd, struct program it)
{
	CHECK_EQ(pwrite(fd, &it, sizeof it, 0), sizeof it);
}

/* The status that the program of an open file ends with. */
static int run_fd(int fd)
{
	char *arguments[] = { "x", NULL }, *environment[] = { NULL };
	pid_t child = (pid_t)OK(fork());
	if (child == 0) {
		syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
		_exit(errno == ETXTBSY ? 126 : 127);
	}
	int status = test_wait(child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(const char *name)
{
	int fd = (int)OK(open(name, O_RDONLY | O_CLOEXEC));
	int status = run_fd(fd);
	OK(close(fd));
	return status;
}

static int open_to_write(const char *name)
{
	return (int)OK(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0755));
}

static void changed_by_write(void)
{
	int fd = open_to_write("program");
	put(fd, program(0x400000, 1));
	CHECK_EQ(run("program"), 126);
	OK(close(fd));
	CHECK_EQ(run("program"), 1);
	CHECK_EQ(run("program"), 1);
	fd = open_to_write("program");
	put(fd, program(0x800000, 2));
	OK(close(fd));
	CHECK_EQ(run("program"), 2);
}

static void changed_through_a_mapping(void)
{
	int fd = open_to_write("program");
	struct program *map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	OK(close(fd));
	*map = program(0xc00000, 3);
	/* The mapping is a writer. */
	CHECK_EQ(run("program"), 126);
	OK(munmap(map, sizeof *map));
	CHECK_EQ(run("program"), 3);
}

static void changed_by_truncation(void)
{
	OK(truncate("program", 0));
	CHECK_EQ(run("program"), 127);
	int fd = open_to_write("program");
	put(fd, program(0x400000, 4));
	OK(close(fd));
	CHECK_EQ(run("program"), 4);
	/* Open for reading, but truncated all the same. */
	OK(close((int)OK(open("program", O_RDONLY | O_TRUNC | O_CLOEXEC))));
	CHECK_EQ(run("program"), 127);
}

static void replaced_under_its_name(void)
{
	int fd = open_to_write("other");
	put(fd, program(0x800000, 5));
	OK(close(fd));
	OK(rename("other", "program"));
	CHECK_EQ(run("program"), 5);
}

static void of_memory(void)
{
	int fd = (int)OK(memfd_create("program", MFD_CLOEXEC));
	put(fd, program(0x400000, 6));
	CHECK_EQ(run_fd(fd), 6);
	put(fd, program(0x800000, 7));
	CHECK_EQ(run_fd(fd), 7);
	struct program *map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(run_fd(fd), 7);
	*map = program(0xc00000, 8);
	CHECK_EQ(run_fd(fd), 8);
}

int main(void)
{
	changed_by_write();
	changed_through_a_mapping();
	changed_by_truncation();
	replaced_under_its_name();
	of_memory();
	return 0;
}
