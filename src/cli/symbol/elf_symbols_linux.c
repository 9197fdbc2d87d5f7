/* SPDX-License-Identifier: MIT */
#include "symbol/elf_symbols.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The string at OFFSET of section STRTAB, when it ends inside the section. */
static const char *string_at(Elf *elf, size_t strtab, size_t offset)
{
    const char *text = elf_strptr(elf, strtab, offset);

    return text ? text : "";
}

static bool section_of_symbol(Elf *elf, const GElf_Sym *sym, GElf_Shdr *shdr)
{
    Elf_Scn *scn = sym->st_shndx < SHN_LORESERVE ? elf_getscn(elf, sym->st_shndx) : NULL;

    return scn && gelf_getshdr(scn, shdr);
}

/* Assembler-local labels and mapping symbols ($x, $d) name no function. */
static bool is_function_name(const char *name)
{
    return name[0] && name[0] != '$' && strncmp(name, ".L", 2) != 0;
}

static bool is_code(Elf *elf, const GElf_Sym *sym)
{
    int type = GELF_ST_TYPE(sym->st_info);
    GElf_Shdr shdr;

    if (sym->st_shndx == SHN_UNDEF || !sym->st_value)
        return false;
    if (type == STT_FUNC || type == STT_GNU_IFUNC)
        return true;
    return type == STT_NOTYPE && section_of_symbol(elf, sym, &shdr) && (shdr.sh_flags & SHF_EXECINSTR);
}

/* Where the code of SYM ends; one without a size reaches to the end of its section, or to the next symbol. */
static uint64_t end_of(Elf *elf, const GElf_Sym *sym)
{
    GElf_Shdr shdr;

    if (sym->st_size)
        return sym->st_size < UINT64_MAX - sym->st_value ? sym->st_value + sym->st_size : UINT64_MAX;
    if (!section_of_symbol(elf, sym, &shdr) || sym->st_value - shdr.sh_addr >= shdr.sh_size)
        return sym->st_value;
    return shdr.sh_addr + shdr.sh_size;
}

/* Larger is better among symbols of one address. */
static uint32_t rank_of(const GElf_Sym *sym)
{
    static const uint8_t by_binding[] = {[STB_LOCAL] = 1, [STB_GLOBAL] = 2, [STB_WEAK] = 2};
    unsigned binding = GELF_ST_BIND(sym->st_info);
    uint32_t rank = binding < sizeof(by_binding) ? by_binding[binding] : 1;

    if (sym->st_size)
        rank += 8;
    if (GELF_ST_TYPE(sym->st_info) != STT_NOTYPE)
        rank += 4;
    return rank;
}

static Elf_Scn *section_of_type(Elf *elf, unsigned type, GElf_Shdr *shdr)
{
    Elf_Scn *scn = NULL;

    while ((scn = elf_nextscn(elf, scn)))
        if (gelf_getshdr(scn, shdr) && shdr->sh_type == type)
            return scn;
    return NULL;
}

size_t elf_symbols_add(struct symbol_table *table, Elf *elf, unsigned type)
{
    size_t before = table->count, count;
    GElf_Shdr shdr;
    Elf_Scn *scn = section_of_type(elf, type, &shdr);
    Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;

    if (!data || !shdr.sh_entsize)
        return 0;
    count = data->d_size / shdr.sh_entsize;
    for (size_t i = 1; i < count; i++) {
        GElf_Sym sym;
        const char *name;

        if (!gelf_getsym(data, (int)i, &sym) || !is_code(elf, &sym))
            continue;
        name = string_at(elf, shdr.sh_link, sym.st_name);
        if (is_function_name(name))
            symbol_table_add(table, &(struct table_symbol){.addr = sym.st_value,
                                                           .end = end_of(elf, &sym),
                                                           .name = name,
                                                           .sized = sym.st_size != 0,
                                                           .rank = rank_of(&sym)});
    }
    return table->count - before;
}

/* Which function a slot of the global offset table is for, from the dynamic relocations. */
struct got_slot {
    uint64_t addr;
    const char *name;
};

struct got {
    struct got_slot *slots;
    size_t count, cap;
};

static int compare_slots(const void *a, const void *b)
{
    const struct got_slot *x = a, *y = b;

    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void got_add(struct got *got, Elf *elf, Elf_Scn *scn, const GElf_Shdr *shdr)
{
    Elf_Data *rels = elf_getdata(scn, NULL);
    Elf_Scn *dynsym = elf_getscn(elf, shdr->sh_link);
    Elf_Data *syms = dynsym ? elf_getdata(dynsym, NULL) : NULL;
    GElf_Shdr dynsym_shdr;

    if (!rels || !syms || !shdr->sh_entsize || !gelf_getshdr(dynsym, &dynsym_shdr))
        return;
    for (size_t i = 0; i < rels->d_size / shdr->sh_entsize; i++) {
        GElf_Rela rela;
        GElf_Sym sym;

        if (!gelf_getrela(rels, (int)i, &rela) || !GELF_R_SYM(rela.r_info) ||
            !gelf_getsym(syms, (int)GELF_R_SYM(rela.r_info), &sym))
            continue;
        GROW(got->slots, got->count + 1, got->cap);
        got->slots[got->count++] = (struct got_slot){rela.r_offset, string_at(elf, dynsym_shdr.sh_link, sym.st_name)};
    }
}

static void got_load(struct got *got, Elf *elf)
{
    Elf_Scn *scn = NULL;
    GElf_Shdr shdr;

    while ((scn = elf_nextscn(elf, scn)))
        if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_RELA && (shdr.sh_flags & SHF_ALLOC))
            got_add(got, elf, scn, &shdr);
    if (got->count)
        qsort(got->slots, got->count, sizeof(*got->slots), compare_slots);
}

static const char *got_name(const struct got *got, uint64_t addr)
{
    struct got_slot key = {.addr = addr};
    struct got_slot *slot = got->count ? bsearch(&key, got->slots, got->count, sizeof(key), compare_slots) : NULL;

    return slot ? slot->name : NULL;
}

static uint32_t read_u32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* The GOT slot that the 16-byte stub at ADDR jumps through: `jmp *disp(%rip)`, after an optional endbr64 and bnd. */
static uint64_t x86_64_stub_slot(const unsigned char *stub, uint64_t addr)
{
    for (unsigned i = 0; i + 6 <= 16; i++)
        if (stub[i] == 0xff && stub[i + 1] == 0x25)
            return addr + i + 6 + (uint64_t)(int64_t)(int32_t)read_u32(stub + i + 2);
    return 0;
}

/* `adrp x16, page; ldr x17, [x16, #offset]`, after an optional bti. */
static uint64_t aarch64_stub_slot(const unsigned char *stub, uint64_t addr)
{
    for (unsigned i = 0; i + 8 <= 16; i += 4) {
        uint32_t adrp = read_u32(stub + i), ldr = read_u32(stub + i + 4);
        int64_t page;

        if ((adrp & 0x9f00001f) != 0x90000010 || (ldr & 0xffc003ff) != 0xf9400211)
            continue;
        page = (int64_t)((uint64_t)((adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3)) << 43) >> 31;
        return ((addr + i) & ~0xfffull) + (uint64_t)page + (ldr >> 10 & 0xfff) * 8;
    }
    return 0;
}

static void add_stubs(struct symbol_table *table, const struct got *got, Elf_Scn *scn, uint64_t addr, int machine)
{
    Elf_Data *data = elf_rawdata(scn, NULL);
    size_t step = 16;

    for (size_t at = 0; data && data->d_buf && at + step <= data->d_size;) {
        const unsigned char *stub = (const unsigned char *)data->d_buf + at;
        uint64_t slot = machine == EM_X86_64 ? x86_64_stub_slot(stub, addr + at) : aarch64_stub_slot(stub, addr + at);
        const char *name = slot ? got_name(got, slot) : NULL;
        /* aarch64's header is 32 bytes and stubs may be 24 long, so steps are words there. */
        size_t next = name || machine == EM_X86_64 ? step : 4;

        if (name && name[0]) {
            char label[4096];
            int len = snprintf(label, sizeof(label), "%s@plt", name);

            if (len > 0 && (size_t)len < sizeof(label))
                symbol_table_add(table, &(struct table_symbol){.addr = addr + at,
                                                               .end = addr + at + step,
                                                               .name = symbol_table_keep(table, label, (size_t)len),
                                                               .sized = true});
        }
        at += next;
    }
}

size_t elf_symbols_add_plt(struct symbol_table *table, Elf *elf)
{
    size_t before = table->count, names;
    struct got got = {0};
    Elf_Scn *scn = NULL;
    GElf_Ehdr ehdr;
    GElf_Shdr shdr;

    if (!gelf_getehdr(elf, &ehdr) || (ehdr.e_machine != EM_X86_64 && ehdr.e_machine != EM_AARCH64) ||
        elf_getshdrstrndx(elf, &names))
        return 0;
    while ((scn = elf_nextscn(elf, scn))) {
        const char *name = gelf_getshdr(scn, &shdr) ? elf_strptr(elf, names, shdr.sh_name) : NULL;

        if (!name || strncmp(name, ".plt", 4) || !(shdr.sh_flags & SHF_EXECINSTR) || shdr.sh_type != SHT_PROGBITS)
            continue;
        if (!got.count)
            got_load(&got, elf);
        add_stubs(table, &got, scn, shdr.sh_addr, ehdr.e_machine);
    }
    free(got.slots);
    return table->count - before;
}

/* Where the program header TYPE points, inside the file; NULL without one. */
static const unsigned char *segment_bytes(Elf *elf, unsigned type, GElf_Phdr *phdr)
{
    size_t count, len;
    const char *file = elf_rawfile(elf, &len);

    if (!file || elf_getphdrnum(elf, &count))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(elf, (int)i, phdr) && phdr->p_type == type && phdr->p_offset <= len &&
            phdr->p_filesz <= len - phdr->p_offset)
            return (const unsigned char *)file + phdr->p_offset;
    return NULL;
}

/* The end of the executable segment that ADDR lies in; 0 when it lies in none. */
static uint64_t code_end(Elf *elf, uint64_t addr)
{
    GElf_Phdr phdr;
    size_t count;

    if (elf_getphdrnum(elf, &count))
        return 0;
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_LOAD && (phdr.p_flags & PF_X) &&
            addr - phdr.p_vaddr < phdr.p_memsz)
            return phdr.p_vaddr + phdr.p_memsz;
    return 0;
}

size_t elf_symbols_add_unwind_starts(struct symbol_table *table, Elf *elf)
{
    /* version 1; the pointer to .eh_frame as sdata4; the count as udata4; the table as datarel sdata4 pairs */
    static const unsigned char usual[] = {1, 0x1b, 0x03, 0x3b};
    size_t before = table->count;
    GElf_Phdr phdr;
    const unsigned char *bytes = segment_bytes(elf, PT_GNU_EH_FRAME, &phdr);
    uint32_t count;

    if (!bytes || phdr.p_filesz < 12 || memcmp(bytes, usual, sizeof(usual)) != 0)
        return 0;
    count = read_u32(bytes + 8);
    for (uint32_t i = 0; i < count && 12 + ((uint64_t)i + 1) * 8 <= phdr.p_filesz; i++) {
        uint64_t addr = phdr.p_vaddr + (uint64_t)(int64_t)(int32_t)read_u32(bytes + 12 + (size_t)i * 8);
        uint64_t end = code_end(elf, addr);

        if (end)
            symbol_table_add(table, &(struct table_symbol){.addr = addr, .end = end, .name = ""});
    }
    return table->count - before;
}
