/* SPDX-License-Identifier: MIT */
#pragma once

#include <libelf.h>
#include <signal.h>
#include <stdbool.h>

/*
 * Finds what was split off a module: the separate debug file (by build-id, by .gnu_debuglink, by debuginfod when the
 * user asked for it) and the small symbol table in .gnu_debugdata.
 */
struct elf_file {
    int fd;     /* -1: none */
    void *text; /* the bytes when they are not a file's; freed with it */
    Elf *elf;   /* NULL: none */
    char *path; /* NULL: none */
};

/* Opens FD (taken over) as an ELF file; PATH is copied. False, and FD closed, when it is not an ELF file. */
bool elf_file_open(struct elf_file *file, int fd, const char *path);
void elf_file_close(struct elf_file *file);

/* Lower-case hex of the build-id; "" without one. OUT has ELF_BUILD_ID_MAX bytes. */
enum { ELF_BUILD_ID_MAX = 129 };
void elf_build_id(Elf *elf, char *out);

bool elf_has_section(Elf *elf, const char *name);
/* Whether ELF has a section TYPE with contents (a stripped debug file keeps empty headers). */
bool elf_has_section_type(Elf *elf, unsigned type);

/* Whether ELF has debug sections that are compressed in a way that this libelf does not know (zstd before 0.189). */
bool elf_is_compressed_beyond_us(Elf *elf);

struct debug_search {
    const char *module_path; /* the directory of a debug link is relative to it */
    const char *debug_root;  /* /usr/lib/debug */
    bool debuginfod;
    const volatile sig_atomic_t *stop; /* not zero: give up a download; may be NULL */
};

/* The separate debug file of MODULE, checked to belong to it by build-id or CRC. False without one. */
bool debug_file_find(struct elf_file *found, Elf *module, const struct debug_search *search);

/* The ELF file inside MODULE's .gnu_debugdata (xz). False without one, or when it is broken. */
bool debug_data_open(struct elf_file *found, Elf *module);
