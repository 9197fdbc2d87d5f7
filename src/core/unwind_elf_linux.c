/* SPDX-License-Identifier: MIT */
/*
 * Modules from ELF: a whole file image for the CLI, the mapped program headers for the target. The search table that
 * the linker made is used as it is; nothing is copied.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "core/cfi.h"
#include "core/unwind_elf.h"

#if defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_X86_64 };
#endif

enum { ENC_TABLE = 0x3b, ENC_OMIT = 0xff }; /* DW_EH_PE_datarel | DW_EH_PE_sdata4: what every linker writes */

/* [OFFSET, OFFSET + LEN) of the file, or NULL. */
static const uint8_t *file_range(const uint8_t *file, size_t size, uint64_t offset, uint64_t len)
{
    return offset <= size && len <= size - offset ? file + offset : NULL;
}

bool rs_elf_header(const uint8_t *file, size_t size, Elf64_Ehdr *eh)
{
    if (size < sizeof(*eh))
        return false;
    memcpy(eh, file, sizeof(*eh));
    return memcmp(eh->e_ident, ELFMAG, SELFMAG) == 0 && eh->e_ident[EI_CLASS] == ELFCLASS64 &&
           eh->e_ident[EI_DATA] == ELFDATA2LSB && eh->e_machine == MACHINE;
}

bool rs_unwind_use_hdr(struct rs_unwind_module *m, const uint8_t *hdr, size_t len, uint64_t addr, uint64_t *eh_addr)
{
    struct rs_cursor c = {.at = hdr, .end = hdr + len};
    uint8_t version = (uint8_t)rs_cursor_uint(&c, 1), enc = (uint8_t)rs_cursor_uint(&c, 1);
    uint8_t count_enc = (uint8_t)rs_cursor_uint(&c, 1), table_enc = (uint8_t)rs_cursor_uint(&c, 1);
    uint64_t count;

    if (c.bad || version != 1)
        return false;
    *eh_addr = rs_cursor_pointer(&c, enc, addr + (uint64_t)(c.at - hdr), addr, m->abs_bias);
    if (c.bad)
        return false;
    if (count_enc == ENC_OMIT || table_enc != ENC_TABLE)
        return true; /* no table: the section is scanned */
    count = rs_cursor_pointer(&c, count_enc, addr + (uint64_t)(c.at - hdr), addr, 0);
    if (c.bad || count == 0 || count > (uint64_t)(c.end - c.at) / 8)
        return true;
    m->table = (struct rs_cfi_section){c.at, count * 8, addr + (uint64_t)(c.at - hdr)};
    m->table_base = addr;
    return true;
}

bool rs_elf_bias(const void *file, size_t len, uint64_t start, uint64_t offset, uint64_t *bias)
{
    bool found = false;
    Elf64_Ehdr eh;

    if (!rs_elf_header(file, len, &eh) || eh.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        const uint8_t *at = file_range(file, len, eh.e_phoff + (uint64_t)i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
        uint64_t first;
        Elf64_Phdr ph;

        if (!at)
            break;
        memcpy(&ph, at, sizeof(ph));
        first = ph.p_offset & ~(uint64_t)4095;
        if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || offset < first || offset - first >= ph.p_memsz + 4096)
            continue;
        /* A mapping begins where its segment does, unless mprotect() has split it: then any that holds it will do. */
        if (!found || offset == first)
            *bias = start - offset + ph.p_offset - ph.p_vaddr;
        found = true;
    }
    return found;
}

/* The bytes from link-time address VADDR to the end of the segment that holds it, as far as the file has them. */
static struct rs_cfi_section segment_tail(const uint8_t *file, size_t size, const Elf64_Ehdr *eh, uint64_t vaddr)
{
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        const uint8_t *at = file_range(file, size, eh->e_phoff + (uint64_t)i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
        Elf64_Phdr ph;
        uint64_t into;

        if (!at)
            break;
        memcpy(&ph, at, sizeof(ph));
        into = vaddr - ph.p_vaddr;
        if (ph.p_type != PT_LOAD || into >= ph.p_filesz)
            continue;
        at = file_range(file, size, ph.p_offset, ph.p_filesz);
        if (at)
            return (struct rs_cfi_section){at + into, ph.p_filesz - into, vaddr};
    }
    return (struct rs_cfi_section){0};
}

/* A section by NAME, uncompressed; its address is the link-time one. */
static struct rs_cfi_section named_section(const uint8_t *file, size_t size, const Elf64_Ehdr *eh, const char *name)
{
    Elf64_Shdr sh, names;
    const uint8_t *at = file_range(file, size, eh->e_shoff + (uint64_t)eh->e_shstrndx * sizeof(sh), sizeof(sh));

    if (!at || !eh->e_shoff || eh->e_shentsize != sizeof(sh))
        return (struct rs_cfi_section){0};
    memcpy(&names, at, sizeof(names));
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        size_t len = strlen(name) + 1;

        at = file_range(file, size, eh->e_shoff + (uint64_t)i * sizeof(sh), sizeof(sh));
        if (!at)
            break;
        memcpy(&sh, at, sizeof(sh));
        if (sh.sh_type == SHT_NOBITS || sh.sh_flags & SHF_COMPRESSED || sh.sh_name > names.sh_size ||
            len > names.sh_size - sh.sh_name)
            continue;
        at = file_range(file, size, names.sh_offset + sh.sh_name, len);
        if (!at || memcmp(at, name, len) != 0)
            continue;
        at = file_range(file, size, sh.sh_offset, sh.sh_size);
        if (at)
            return (struct rs_cfi_section){at, sh.sh_size, sh.sh_addr};
    }
    return (struct rs_cfi_section){0};
}

/* .eh_frame by PT_GNU_EH_FRAME, which stripped files have too; its end is the segment's, or the zero that ends it. */
static void use_eh_frame_hdr(struct rs_unwind_module *m, const uint8_t *file, size_t size, const Elf64_Ehdr *eh)
{
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        const uint8_t *at = file_range(file, size, eh->e_phoff + (uint64_t)i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
        uint64_t eh_addr;
        Elf64_Phdr ph;

        if (!at)
            return;
        memcpy(&ph, at, sizeof(ph));
        if (ph.p_type != PT_GNU_EH_FRAME)
            continue;
        at = file_range(file, size, ph.p_offset, ph.p_filesz);
        if (at && rs_unwind_use_hdr(m, at, ph.p_filesz, ph.p_vaddr + m->bias, &eh_addr)) {
            m->eh = segment_tail(file, size, eh, eh_addr - m->bias);
            m->eh.addr += m->bias;
        }
        return;
    }
}

int rs_unwind_module_elf(struct rs_unwind_module *m, const void *file, size_t len, uint64_t start, uint64_t end,
                         uint64_t bias)
{
    Elf64_Ehdr eh;

    memset(m, 0, sizeof(*m));
    m->start = start;
    m->end = end;
    m->bias = bias;
    m->abs_bias = bias;
    if (!rs_elf_header(file, len, &eh))
        return -ENOEXEC;
    m->entry = eh.e_entry ? eh.e_entry + bias : 0;
    if (eh.e_phentsize == sizeof(Elf64_Phdr))
        use_eh_frame_hdr(m, file, len, &eh);
    if (!m->eh.len) {
        m->table.len = 0;
        m->eh = named_section(file, len, &eh, ".eh_frame");
        m->eh.addr += bias;
    }
    m->debug = named_section(file, len, &eh, ".debug_frame");
    return m->eh.len || m->debug.len ? 0 : -ENODATA;
}
