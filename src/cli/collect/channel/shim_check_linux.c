/* SPDX-License-Identifier: MIT */
#include "collect/channel/shim_check.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/text.h"

enum { SCRIPT_DEPTH = 4 };

static bool contains(const char *text, const char *part)
{
    return text && strstr(text, part);
}

/* A weak reference is how code asks whether there is a sanitizer: librustscope, jemalloc and others do. */
static bool asks_only(const GElf_Sym *symbol)
{
    return symbol->st_shndx == SHN_UNDEF && GELF_ST_BIND(symbol->st_info) == STB_WEAK;
}

/* Names of sanitizer run-times among the needed libraries, and their entry points where they are linked in. */
static const char *sanitizer_in(Elf *elf)
{
    static const struct {
        const char *library, *symbol, *reason;
    } known[] = {
        {"libasan", "__asan_init", "built with AddressSanitizer"},
        {"libtsan", "__tsan_init", "built with ThreadSanitizer"},
        {"libmsan", "__msan_init", "built with MemorySanitizer"},
        {"liblsan", "__lsan_init", "built with LeakSanitizer"},
    };
    Elf_Scn *section = NULL;

    while ((section = elf_nextscn(elf, section))) {
        Elf_Data *data;
        GElf_Shdr header;

        if (!gelf_getshdr(section, &header) || !header.sh_entsize || !(data = elf_getdata(section, NULL)))
            continue;
        for (size_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
            const char *name = NULL;
            bool needed = false;

            if (header.sh_type == SHT_DYNAMIC) {
                GElf_Dyn entry;

                if (gelf_getdyn(data, (int)i, &entry) && entry.d_tag == DT_NEEDED) {
                    name = elf_strptr(elf, header.sh_link, entry.d_un.d_val);
                    needed = true;
                }
            } else if (header.sh_type == SHT_DYNSYM) {
                GElf_Sym symbol;

                if (gelf_getsym(data, (int)i, &symbol) && !asks_only(&symbol))
                    name = elf_strptr(elf, header.sh_link, symbol.st_name);
            }
            for (size_t k = 0; name && k < sizeof(known) / sizeof(*known); k++)
                if (needed ? contains(name, known[k].library) : !strcmp(name, known[k].symbol))
                    return known[k].reason;
        }
    }
    return NULL;
}

static const char *check_elf(Elf *elf, int fd)
{
    GElf_Ehdr header;
    char interpreter[256] = "";
    size_t count = 0;
    GElf_Phdr phdr;

    if (!gelf_getehdr(elf, &header))
        return NULL;
    if (header.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return "a 32-bit program";
#if defined(__x86_64__)
    if (header.e_machine != EM_X86_64)
        return "a program for another processor";
#elif defined(__aarch64__)
    if (header.e_machine != EM_AARCH64)
        return "a program for another processor";
#endif
    elf_getphdrnum(elf, &count);
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_INTERP && phdr.p_filesz < sizeof(interpreter) &&
            pread(fd, interpreter, phdr.p_filesz, (off_t)phdr.p_offset) != (ssize_t)phdr.p_filesz)
            interpreter[0] = '\0';
    if (!interpreter[0])
        return "statically linked";
    return sanitizer_in(elf);
}

/* The loader ignores preloads where the file gives rights that the caller has not. */
static const char *check_rights(int fd)
{
    struct stat st;

    if (fstat(fd, &st) || geteuid() == 0)
        return NULL;
    if (((st.st_mode & S_ISUID) && st.st_uid != geteuid()) || ((st.st_mode & S_ISGID) && st.st_gid != getegid()))
        return "set-user-ID or set-group-ID";
    return fgetxattr(fd, "security.capability", NULL, 0) > 0 ? "has file capabilities" : NULL;
}

static const char *check_path(const char *path, int depth);

static const char *check_script(int fd, int depth)
{
    char line[256] = "";
    ssize_t n = pread(fd, line, sizeof(line) - 1, 0);
    char *interpreter, *argument;

    line[n > 0 ? n : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    interpreter = strtok_r(line + 2, " \t", &argument);
    if (!interpreter || depth == SCRIPT_DEPTH)
        return NULL;
    /* env finds the real interpreter; both carry the shim or not alike, unless that one is static. */
    return check_path(interpreter, depth + 1);
}

static const char *check_path(const char *path, int depth)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *reason = NULL;
    char magic[2] = "";
    Elf *elf;

    if (fd < 0)
        return NULL;
    if (pread(fd, magic, 2, 0) == 2 && magic[0] == '#' && magic[1] == '!') {
        reason = check_script(fd, depth);
    } else {
        elf_version(EV_CURRENT);
        elf = elf_begin(fd, ELF_C_READ, NULL);
        if (elf && elf_kind(elf) == ELF_K_ELF)
            reason = check_elf(elf, fd);
        elf_end(elf);
    }
    if (!reason)
        reason = check_rights(fd);
    close(fd);
    return reason;
}

const char *shim_check_file(const char *path)
{
    return check_path(path, 0);
}

/* Where execvp finds PROGRAM; false: nowhere. */
static bool search(const char *program, char *found, size_t size)
{
    const char *path = getenv("PATH");

    if (strchr(program, '/'))
        return (size_t)snprintf(found, size, "%s", program) < size;
    for (path = path ? path : "/bin:/usr/bin"; *path; path += strcspn(path, ":"), path += *path == ':') {
        size_t len = strcspn(path, ":");

        if ((size_t)snprintf(found, size, "%.*s%s%s", (int)len, path, len ? "/" : "", program) < size &&
            !access(found, X_OK))
            return true;
    }
    return false;
}

const char *shim_check_program(const char *program)
{
    char path[PATH_MAX];

    return search(program, path, sizeof(path)) ? check_path(path, 0) : NULL;
}

/* ---- other allocators ---- */

/* The library's name, and a function that only it has, with whatever prefix its symbols were given. */
static const struct {
    const char *name, *symbol;
} allocators[] = {{"jemalloc", "mallocx"},  {"tcmalloc", "tc_malloc"}, {"mimalloc", "mi_malloc"},
                  {"rpmalloc", "rpmalloc"}, {"snmalloc", "sn_malloc"}, {"Hoard", "xxmalloc"}};

static const char *allocator_of_library(const char *library)
{
    for (size_t k = 0; k < sizeof(allocators) / sizeof(*allocators); k++)
        if (contains(library, allocators[k].name))
            return allocators[k].name;
    return NULL;
}

static void check_symbol(const GElf_Sym *symbol, const char *name, bool dynamic, struct shim_allocator *found,
                         bool *wants_new)
{
    if (symbol->st_shndx == SHN_UNDEF) {
        *wants_new |= dynamic && !strncmp(name, "_Zn", 3);
        return;
    }
    if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC)
        return;
    found->is_malloc |= dynamic && !strcmp(name, "malloc");
    for (size_t k = 0; k < sizeof(allocators) / sizeof(*allocators); k++)
        if (text_ends_with(name, allocators[k].symbol)) {
            found->linked_in = true;
            found->name = allocators[k].name;
        }
}

/* The first library that has operator new has everybody's: an allocator's, if it stands before the C++ library. */
static void check_needed(const char *library, const char **first)
{
    if (!*first)
        *first = contains(library, "libstdc++") || contains(library, "libc++") ? "" : allocator_of_library(library);
}

static bool is_wanted(const GElf_Shdr *header, bool deep)
{
    return header->sh_entsize &&
           (header->sh_type == SHT_DYNAMIC || header->sh_type == SHT_DYNSYM || (deep && header->sh_type == SHT_SYMTAB));
}

static void check_allocator(Elf *elf, const char *preloaded, bool deep, struct shim_allocator *found)
{
    const char *new_of = preloaded ? allocator_of_library(preloaded) : NULL;
    Elf_Scn *section = NULL;
    bool wants_new = false;

    while ((section = elf_nextscn(elf, section))) {
        Elf_Data *data;
        GElf_Shdr header;

        if (!gelf_getshdr(section, &header) || !is_wanted(&header, deep) || !(data = elf_getdata(section, NULL)))
            continue;
        for (size_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
            const char *name;
            GElf_Sym symbol;
            GElf_Dyn entry;

            if (header.sh_type == SHT_DYNAMIC) {
                if (gelf_getdyn(data, (int)i, &entry) && entry.d_tag == DT_NEEDED &&
                    (name = elf_strptr(elf, header.sh_link, entry.d_un.d_val)))
                    check_needed(name, &new_of);
            } else if (gelf_getsym(data, (int)i, &symbol) && (name = elf_strptr(elf, header.sh_link, symbol.st_name))) {
                check_symbol(&symbol, name, header.sh_type == SHT_DYNSYM, found, &wants_new);
            }
        }
    }
    if (wants_new && !found->linked_in && new_of && *new_of) {
        found->takes_new = true;
        found->name = new_of;
    }
}

void shim_check_allocator(const char *path, const char *preloaded, bool deep, struct shim_allocator *found)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    Elf *elf;

    *found = (struct shim_allocator){0};
    if (fd < 0)
        return;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        check_allocator(elf, preloaded, deep, found);
    elf_end(elf);
    close(fd);
}

bool shim_check_operators(const char *program, const char *preloaded)
{
    struct shim_allocator found;
    char path[PATH_MAX];

    if (preloaded && allocator_of_library(preloaded))
        return true;
    if (!search(program, path, sizeof(path)))
        return false;
    shim_check_allocator(path, preloaded, false, &found);
    return found.takes_new;
}

bool shim_find_operators(const char *shim, char *path, size_t size)
{
    const char *slash = strrchr(shim, '/');
    int len = slash ? (int)(slash - shim) : 1;

    return (size_t)snprintf(path, size, "%.*s/librustscope_shim_cxx.so", len, slash ? shim : ".") < size &&
           !access(path, R_OK);
}

bool shim_find(char *path, size_t size)
{
    /* In a build tree; installed. */
    static const char *const beside[] = {"../lib/librustscope_shim.so", RUSTSCOPE_SHIM_FROM_COMMAND};
    const char *given = getenv("RUSTSCOPE_SHIM");
    char exe[PATH_MAX], found[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash;

    if (given)
        return (size_t)snprintf(path, size, "%s", given) < size && !access(path, R_OK);
    exe[len > 0 ? len : 0] = '\0';
    slash = strrchr(exe, '/');
    for (size_t i = 0; slash && i < sizeof(beside) / sizeof(*beside); i++)
        if ((size_t)snprintf(found, sizeof(found), "%.*s/%s", (int)(slash - exe), exe, beside[i]) < sizeof(found) &&
            !access(found, R_OK)) {
            char *real = realpath(found, NULL);
            bool fits = real && (size_t)snprintf(path, size, "%s", real) < size;

            free(real);
            return fits;
        }
    return false;
}
