/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "symbol/demangle.h"

/*
 * Names for addresses: opens a module once and turns each address in it into a chain of frames, the innermost inlined
 * function first and the physical function last.
 *
 *     struct symbols *symbols = symbols_new(&(struct symbols_options){.cache = true});
 *     struct symbol_module *module = symbols_open(symbols, &(struct symbol_source){.path = path, .fd = -1}, &err);
 *     count = symbol_resolve(module, addr, &frames);
 *
 * An address is an ELF virtual address of the module's file, as in st_value: the pc less the load bias. It is taken as
 * it is, so callers subtract one from a return address (calltree_frame() says the same).
 *
 * Sources of names, best first: DWARF (inlined functions, files, lines) of the file or of its separate debug file,
 * .symtab, the .symtab in .gnu_debugdata, .dynsym, PLT stubs; code without a symbol is called after its module and
 * where its function begins in the unwind table. A module is parsed lazily: only the units and functions
 * that addresses fall into. What was resolved is kept in a cache file per build-id, as ranges of addresses with an
 * equal answer, so that a second run does not touch the debug information.
 *
 * Nothing here reaches the network unless symbols_options.debuginfod is set. Nothing is thread-safe: one `symbols`
 * belongs to one thread. Files from outside are not trusted: broken ones give fewer names.
 */
struct symbols;
struct symbol_module;

struct symbols_options {
    bool cache;             /* read and write $XDG_CACHE_HOME/rustscope */
    bool debuginfod;        /* ask the servers of DEBUGINFOD_URLS for missing debug files */
    const char *cache_dir;  /* instead of $XDG_CACHE_HOME/rustscope; for tests */
    const char *debug_root; /* instead of /usr/lib/debug; for tests */
    const char *cwd;        /* of the program: where a JIT may have left its dump; may be NULL */
    bool tables_only;       /* no DWARF: quick, for the live screen */
    /* Once it is not zero (Ctrl-C), no more DWARF is read: names come from the symbol tables alone. May be NULL. */
    const volatile sig_atomic_t *stop;
};

/* Modules that are not files: the running kernel; code of process %d without a file, at absolute addresses. */
#define SYMBOL_KERNEL_PATH     "[kernel]"
#define SYMBOL_JIT_PATH_FORMAT "[anon:%d]"
/* Of a kernel address the low 48 bits are kept; the others are all set, and would not fit the numbers of JSON. */
#define SYMBOL_KERNEL_ADDR_MASK UINT64_C(0xffffffffffff)

/* Where a module's bytes are. PATH names it; the first of fd, open_path, path that can be read is used. */
struct symbol_source {
    const char *path;
    const char *open_path; /* /proc/PID/map_files/… or /proc/PID/root/…; may be NULL */
    int fd;                /* -1: none; stays the caller's */
    const char *build_id;  /* lower-case hex; a file with another build-id is refused. NULL or "": not checked */
};

enum symbol_kind { SYMBOLS_FROM_NOTHING, SYMBOLS_FROM_DYNSYM, SYMBOLS_FROM_SYMTAB, SYMBOLS_FROM_DWARF };

struct symbol_frame {
    const char *name;    /* demangled */
    const char *linkage; /* as the linker knows it; NAME itself when it is not mangled */
    const char *file;    /* "" when unknown */
    uint32_t line;       /* of the address, or of the call for a function that something was inlined into; 0: unknown */
    enum symbol_language language;
    bool inlined;
    bool unnamed; /* NAME is `app+0x1230`, by where the function begins, or [anon] or [kernel] */
};

struct symbols *symbols_new(const struct symbols_options *options);
/* Finishes all modules and writes what is new into the cache. NULL is allowed. */
void symbols_free(struct symbols *symbols);

/*
 * The module of SOURCE, opened on first use (equal path and build-id give the same module). NULL, with a sentence in
 * ERR, when no file can be read, or it is not an ELF file, or it has another build-id than the one asked for. The
 * module belongs to SYMBOLS.
 */
struct symbol_module *symbols_open(struct symbols *symbols, const struct symbol_source *source, struct rs_err *err);

const char *symbol_module_build_id(const struct symbol_module *module); /* lower-case hex, "" without */
const char *symbol_module_arch(const struct symbol_module *module);     /* x86_64, aarch64, … */
/* The best source the module has; known from opening on, of the kernel after the first address. */
enum symbol_kind symbol_module_kind(const struct symbol_module *module);

/*
 * What the module's debug information holds and could not be read, once addresses have been resolved: a printable
 * sentence with a remedy; NULL when nothing is lacking. Valid until the module is finished.
 */
const char *symbol_module_lacks(struct symbol_module *module);

/*
 * Resolves ADDR. Returns the number of frames (at least one), innermost first, and points *FRAMES at them.
 * The array is valid until the next call with this module, the texts as long as SYMBOLS. Resolving in ascending order
 * of addresses is the fastest and needs the least memory.
 */
size_t symbol_resolve(struct symbol_module *module, uint64_t addr, const struct symbol_frame **frames);

/*
 * Writes what is new of MODULE into the cache and frees its tables and files; texts stay. symbols_free() does it for
 * all; doing it after the last address of each module bounds memory by the largest one. Resolving afterwards opens it
 * again, if its file can still be read.
 */
void symbol_module_finish(struct symbol_module *module);

struct symbols_stats {
    uint64_t resolved, from_cache, unknown;
    uint64_t units_read; /* DWARF units parsed */
};
struct symbols_stats symbols_stats(const struct symbols *symbols);
