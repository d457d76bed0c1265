/* Finding functions of the vDSO as C libraries do: by name and version in its dynamic symbols. */
#ifndef NOS_VDSO_H
#define NOS_VDSO_H

#include "nos_test.h"
#include <elf.h>
#include <sys/auxv.h>

struct vdso {
	const char *base;
	const Elf64_Sym *symbols;
	const char *strings;
	const Elf64_Half *versions;
	const Elf64_Verdef *definitions;
	unsigned count;
};

static inline struct vdso vdso_at(const char *base)
{
	const Elf64_Ehdr *header = (const void *)base;
	const Elf64_Phdr *segment = (const void *)(base + header->e_phoff);
	const Elf64_Dyn *dynamic = NULL;
	const char *bias = NULL;
	struct vdso vdso = { .base = base };
	CHECK_EQ(memcmp(base, ELFMAG, SELFMAG), 0);
	CHECK_EQ(header->e_type, ET_DYN);
	for (int i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type == PT_LOAD && !bias)
			bias = base + segment[i].p_offset - segment[i].p_vaddr;
		if (segment[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(base + segment[i].p_offset);
	}
	CHECK(bias && dynamic);
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		const void *at = bias + dynamic->d_un.d_ptr;
		switch (dynamic->d_tag) {
		case DT_SYMTAB: vdso.symbols = at; break;
		case DT_STRTAB: vdso.strings = at; break;
		case DT_VERSYM: vdso.versions = at; break;
		case DT_VERDEF: vdso.definitions = at; break;
		case DT_HASH: vdso.count = ((const Elf64_Word *)at)[1]; break;
		}
	}
	CHECK(vdso.symbols && vdso.strings && vdso.versions && vdso.definitions && vdso.count);
	return vdso;
}

static inline struct vdso vdso_here(void)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	if (!base)
		FAIL("the auxiliary vector names no vDSO");
	return vdso_at(base);
}

static inline const char *vdso_version(const struct vdso *vdso, int index)
{
	const Elf64_Verdef *definition = vdso->definitions;
	for (;;) {
		if (!(definition->vd_flags & VER_FLG_BASE) && definition->vd_ndx == (vdso->versions[index] & 0x7fff)) {
			const Elf64_Verdaux *name = (const void *)((const char *)definition + definition->vd_aux);
			return vdso->strings + name->vda_name;
		}
		if (!definition->vd_next)
			return "";
		definition = (const void *)((const char *)definition + definition->vd_next);
	}
}

/* The function of that name; fails when there is none of version LINUX_2.6. */
static inline void *vdso_function(const struct vdso *vdso, const char *name)
{
	for (unsigned i = 0; i < vdso->count; i++) {
		const Elf64_Sym *symbol = &vdso->symbols[i];
		if (symbol->st_shndx == SHN_UNDEF || strcmp(vdso->strings + symbol->st_name, name) != 0)
			continue;
		CHECK_EQ(ELF64_ST_TYPE(symbol->st_info), STT_FUNC);
		CHECK_EQ(ELF64_ST_BIND(symbol->st_info), strncmp(name, "__vdso_", 7) ? STB_WEAK : STB_GLOBAL);
		CHECK_STR(vdso_version(vdso, (int)i), "LINUX_2.6");
		return (void *)(vdso->base + symbol->st_value);
	}
	FAIL("the vDSO has no %s", name);
}

typedef int vdso_clock(clockid_t, struct timespec *);

#endif
