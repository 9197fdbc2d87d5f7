/* SPDX-License-Identifier: MIT */
#include "symbol/symbol.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "core/path.h"
#include "session/strings.h"
#include "symbol/cache.h"
#include "symbol/debug_file.h"
#include "symbol/dwarf_index.h"
#include "symbol/elf_symbols.h"
#include "symbol/jit.h"
#include "symbol/kallsyms.h"
#include "symbol/text_scan.h"

/* A symbol table alone is parsed faster than a cache file is read; only larger ones are worth one. */
static const off_t SMALL_FILE_BYTES = 4 * 1000 * 1000;

struct symbol_module {
    struct symbols *symbols;
    struct symbol_module *next;
    char *path, *open_path;
    char build_id[ELF_BUILD_ID_MAX];
    const char *arch;
    enum symbol_kind kind;
    char *cache_name; /* NULL: not worth a cache file */
    uint64_t identity;

    enum { OF_FILE, OF_KERNEL, OF_JIT } origin; /* the last two have a table and no file */
    bool open;                                  /* the fields below are valid */
    struct elf_file file, debug, mini;
    struct symbol_table table;
    struct symbol_table starts; /* of functions without a name */
    bool table_ready, starts_ready, dwarf_ready;
    struct dwarf_index *dwarf;
    uint64_t units_counted; /* of dwarf's, already in the statistics */
    char *lack;             /* symbol_module_lacks() */

    struct answers known; /* from the cache file */
    struct answers added; /* by this run */
    struct symbol_frame *frames;
    size_t frame_cap;
};

struct symbols {
    struct symbols_options options;
    char *cache_dir; /* NULL: none */
    char *debug_root;
    struct strings texts;
    struct symbol_module *modules;
    char **blobs; /* of cache files whose module was finished: texts live as long as we do */
    size_t blob_count, blob_cap;
    struct symbols_stats stats;
};

struct symbols *symbols_new(const struct symbols_options *options)
{
    struct symbols *symbols = xcalloc(1, sizeof(*symbols));

    elf_version(EV_CURRENT);
    symbols->options = *options;
    strings_init(&symbols->texts);
    symbols->debug_root = xstrdup(options->debug_root ? options->debug_root : "/usr/lib/debug");
    if (options->cache)
        symbols->cache_dir = options->cache_dir ? xstrdup(options->cache_dir) : cache_default_dir();
    return symbols;
}

static void free_module(struct symbol_module *module)
{
    symbol_module_finish(module);
    answers_release(&module->known);
    answers_release(&module->added);
    free(module->frames);
    free(module->path);
    free(module->open_path);
    free(module->cache_name);
    free(module);
}

void symbols_free(struct symbols *symbols)
{
    if (!symbols)
        return;
    for (struct symbol_module *module = symbols->modules, *next; module; module = next) {
        next = module->next;
        free_module(module);
    }
    for (size_t i = 0; i < symbols->blob_count; i++)
        free(symbols->blobs[i]);
    free(symbols->blobs);
    strings_release(&symbols->texts);
    free(symbols->cache_dir);
    free(symbols->debug_root);
    free(symbols);
}

struct symbols_stats symbols_stats(const struct symbols *symbols)
{
    return symbols->stats;
}

static const char *arch_name(Elf *elf)
{
    GElf_Ehdr ehdr;

    if (!gelf_getehdr(elf, &ehdr))
        return "unknown";
    switch (ehdr.e_machine) {
    case EM_X86_64:
        return "x86_64";
    case EM_AARCH64:
        return "aarch64";
    case EM_386:
        return "i386";
    case EM_ARM:
        return "arm";
    case EM_RISCV:
        return "riscv";
    default:
        return "unknown";
    }
}

/* The kernel maps one image into every process, so ours is the target's. */
static bool open_vdso(struct elf_file *file)
{
    const unsigned char *image = (const unsigned char *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
    size_t len = (size_t)sysconf(_SC_PAGESIZE) * 2;
    const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)(const void *)image;

    *file = (struct elf_file){.fd = -1};
    if (!image || ehdr->e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    /* Its section headers end it. */
    if (ehdr->e_shoff + (uint64_t)ehdr->e_shnum * ehdr->e_shentsize < len)
        len = ehdr->e_shoff + (uint64_t)ehdr->e_shnum * ehdr->e_shentsize;
    file->text = xmalloc(len);
    memcpy(file->text, image, len);
    file->elf = elf_memory(file->text, len);
    file->path = xstrdup("[vdso]");
    if (file->elf)
        return true;
    elf_file_close(file);
    return false;
}

static int open_regular(const char *path)
{
    struct stat st;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

/* Opens FD or the first readable path, when it has the wanted build-id. */
static int open_source(struct elf_file *file, const struct symbol_source *source, struct rs_err *err)
{
    const char *paths[] = {source->open_path, source->path};
    char build_id[ELF_BUILD_ID_MAX];
    int rc = -ENOENT;

    if (!strcmp(source->path, "[vdso]"))
        return open_vdso(file) ? 0 : rs_err_set(err, -ENOENT, "this process has no vDSO");
    for (int i = -1; i < 2; i++) {
        int fd = i < 0 ? fcntl(source->fd, F_DUPFD_CLOEXEC, 3) : open_regular(paths[i]);

        if (fd < 0) {
            if (i >= 0 && paths[i])
                rc = rs_err_set(err, -errno, "cannot read %s: %s", paths[i], strerror(errno));
            continue;
        }
        if (!elf_file_open(file, fd, source->path)) {
            rc = rs_err_set(err, -ENOEXEC, "%s is not an ELF file", source->path);
            continue;
        }
        elf_build_id(file->elf, build_id);
        if (!source->build_id || !source->build_id[0] || !strcmp(build_id, source->build_id))
            return 0;
        rc = rs_err_set(err, -ESTALE, "%s has changed since it was profiled (another build-id)", source->path);
        elf_file_close(file);
    }
    return rc;
}

static bool has_debug_info(Elf *elf)
{
    return elf_has_section(elf, ".debug_info") || elf_has_section(elf, ".zdebug_info");
}

static bool has_dwarf(Elf *elf)
{
    return has_debug_info(elf) && !elf_is_compressed_beyond_us(elf);
}

static bool is_file(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode);
}

/* Debug information in an encoding that the libraries here do not know. */
static char *describe_unreadable(const struct symbol_module *module)
{
    const struct elf_file *files[] = {&module->file, &module->debug};

    for (size_t i = 0; i < 2; i++)
        if (files[i]->elf && has_debug_info(files[i]->elf))
            return xasprintf(
                "%s has debug information that is compressed in a way this libelf does not know (zstd needs "
                "0.189): lines and inlined functions are missing; objcopy --decompress-debug-sections "
                "makes it readable",
                files[i]->path);
    return NULL;
}

/* Split DWARF whose other half, DWO, was not found. */
static char *describe_missing(const struct symbol_module *module, const char *dwo)
{
    const char *path = module->path;
    char *package = xasprintf("%s.dwp", path), *text;

    if (is_file(package))
        text = xasprintf("%s is a DWARF package, which libdw before 0.191 does not read: inlined functions of %s are "
                         "missing; keep the .dwo files",
                         package, path);
    else
        text = xasprintf("%s of %s was not found: its inlined functions are missing", dwo, path);
    free(package);
    return text;
}

const char *symbol_module_lacks(struct symbol_module *module)
{
    const char *missing = module->dwarf ? dwarf_index_missing(module->dwarf) : NULL;

    if (!module->lack && missing)
        module->lack = describe_missing(module, missing);
    else if (!module->lack && module->kind != SYMBOLS_FROM_DWARF)
        module->lack = describe_unreadable(module);
    return module->lack;
}

static enum symbol_kind kind_of(const struct symbol_module *module)
{
    const struct elf_file *files[] = {&module->file, &module->debug, &module->mini};
    enum symbol_kind kind = SYMBOLS_FROM_NOTHING;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        Elf *elf = files[i]->elf;

        if (!elf)
            continue;
        if (has_dwarf(elf))
            return SYMBOLS_FROM_DWARF;
        if (elf_has_section_type(elf, SHT_SYMTAB))
            kind = SYMBOLS_FROM_SYMTAB;
        else if (kind == SYMBOLS_FROM_NOTHING && elf_has_section_type(elf, SHT_DYNSYM))
            kind = SYMBOLS_FROM_DYNSYM;
    }
    return kind;
}

/* What the answers depend on, beside the build-id: a stripped and an unstripped file may share that. */
static uint64_t identity_of(const struct symbol_module *module)
{
    uint64_t identity = hash_bytes(module->build_id, strlen(module->build_id));
    const int fds[] = {module->file.fd, module->debug.fd};
    struct stat st;

    for (size_t i = 0; i < 2; i++)
        if (fds[i] >= 0 && !fstat(fds[i], &st)) {
            identity = hash_pair(identity, (uint64_t)st.st_size);
            /* A build-id says enough about the contents of the module itself; copies of it may share the file. */
            if (i || !module->build_id[0])
                identity =
                    hash_pair(identity, (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec);
        }
    return hash_pair(identity, module->kind);
}

/* The file's name in the cache: the build-id, else what tells this file from others. */
static char *cache_name_of(const struct symbol_module *module)
{
    struct stat st;

    if (module->file.fd < 0 || fstat(module->file.fd, &st))
        return NULL;
    if (module->kind < SYMBOLS_FROM_SYMTAB || (module->kind == SYMBOLS_FROM_SYMTAB && st.st_size < SMALL_FILE_BYTES))
        return NULL;
    if (module->build_id[0])
        return xasprintf("%s.sym", module->build_id);
    return xasprintf("file-%016llx.sym",
                     (unsigned long long)hash_pair((uint64_t)st.st_ino, hash_u64((uint64_t)st.st_dev)));
}

static void find_more_files(struct symbol_module *module)
{
    struct symbols *symbols = module->symbols;

    if (module->file.fd < 0 || has_dwarf(module->file.elf))
        return;
    debug_file_find(&module->debug, module->file.elf,
                    &(struct debug_search){.module_path = module->path,
                                           .debug_root = symbols->debug_root,
                                           .debuginfod = symbols->options.debuginfod,
                                           .stop = symbols->options.stop});
    if (!module->debug.elf && !elf_has_section_type(module->file.elf, SHT_SYMTAB))
        debug_data_open(&module->mini, module->file.elf);
}

/* A JIT's table is read at once, the kernel's only when the cache of this boot has no answer: it takes 0.1 s to print.
 */
static void open_jit(struct symbol_module *module, int pid)
{
    module->origin = OF_JIT;
    module->open = module->table_ready = module->starts_ready = module->dwarf_ready = true;
    module->arch = "";
    jit_load(&module->table, pid, module->symbols->options.cwd);
    module->kind = module->table.count ? SYMBOLS_FROM_SYMTAB : SYMBOLS_FROM_NOTHING;
}

static void open_kernel(struct symbol_module *module)
{
    enum { BOOT_ID_BYTES = 36 };
    size_t len;
    char *boot_id = scan_read_file("/proc/sys/kernel/random/boot_id", 64, &len);

    module->origin = OF_KERNEL;
    module->open = module->starts_ready = module->dwarf_ready = true;
    module->arch = "";
    module->kind = SYMBOLS_FROM_SYMTAB;
    if (boot_id && len >= BOOT_ID_BYTES && module->symbols->cache_dir) {
        module->identity = hash_bytes(boot_id, BOOT_ID_BYTES);
        module->cache_name = xasprintf("kernel-%016llx.sym", (unsigned long long)module->identity);
    }
    free(boot_id);
}

static int open_module(struct symbol_module *module, const struct symbol_source *source, struct rs_err *err)
{
    int pid = 0, rc;

    if (!strcmp(source->path, SYMBOL_KERNEL_PATH) || sscanf(source->path, SYMBOL_JIT_PATH_FORMAT, &pid) == 1) {
        if (pid)
            open_jit(module, pid);
        else
            open_kernel(module);
        return 0;
    }
    rc = open_source(&module->file, source, err);
    if (rc)
        return rc;
    module->open = true;
    elf_build_id(module->file.elf, module->build_id);
    module->arch = arch_name(module->file.elf);
    find_more_files(module);
    module->kind = kind_of(module);
    return 0;
}

static bool same_module(const struct symbol_module *module, const struct symbol_source *source)
{
    const char *wanted = source->build_id ? source->build_id : "";

    return !strcmp(module->path, source->path) && (!wanted[0] || !strcmp(module->build_id, wanted));
}

struct symbol_module *symbols_open(struct symbols *symbols, const struct symbol_source *source, struct rs_err *err)
{
    struct symbol_module *module;

    for (module = symbols->modules; module; module = module->next)
        if (same_module(module, source))
            return module;
    module = xcalloc(1, sizeof(*module));
    module->symbols = symbols;
    module->path = xstrdup(source->path);
    module->open_path = source->open_path ? xstrdup(source->open_path) : NULL;
    module->file.fd = module->debug.fd = module->mini.fd = -1;
    if (open_module(module, source, err)) {
        free_module(module);
        return NULL;
    }
    if (module->origin == OF_FILE) {
        module->cache_name = symbols->cache_dir ? cache_name_of(module) : NULL;
        module->identity = identity_of(module);
    }
    if (module->cache_name)
        cache_read(symbols->cache_dir, module->cache_name, module->identity, &module->known);
    module->next = symbols->modules;
    symbols->modules = module;
    return module;
}

const char *symbol_module_build_id(const struct symbol_module *module)
{
    return module->build_id;
}

const char *symbol_module_arch(const struct symbol_module *module)
{
    return module->arch;
}

enum symbol_kind symbol_module_kind(const struct symbol_module *module)
{
    return module->kind;
}

/* Keeps the texts of answers whose module lets go of them. */
static void keep_blob(struct symbols *symbols, struct answers *answers)
{
    if (answers->blob) {
        GROW(symbols->blobs, symbols->blob_count + 1, symbols->blob_cap);
        symbols->blobs[symbols->blob_count++] = answers->blob;
        answers->blob = NULL;
    }
}

void symbol_module_finish(struct symbol_module *module)
{
    struct symbols *symbols = module->symbols;

    if (module->cache_name && module->added.range_count)
        cache_write(symbols->cache_dir, module->cache_name, module->identity, &module->added);
    keep_blob(symbols, &module->known);
    answers_release(&module->known);
    answers_release(&module->added);
    dwarf_index_close(module->dwarf);
    module->dwarf = NULL;
    symbol_table_release(&module->table);
    symbol_table_release(&module->starts);
    elf_file_close(&module->mini);
    elf_file_close(&module->debug);
    elf_file_close(&module->file);
    module->open = module->table_ready = module->starts_ready = module->dwarf_ready = false;
    module->units_counted = 0;
    free(module->lack);
    module->lack = NULL;
}

/* After symbol_module_finish(): the same file again, or none. */
static bool reopen(struct symbol_module *module)
{
    char build_id[ELF_BUILD_ID_MAX];

    if (module->open)
        return true;
    memcpy(build_id, module->build_id, sizeof(build_id));
    return !open_module(
        module,
        &(struct symbol_source){.path = module->path, .open_path = module->open_path, .fd = -1, .build_id = build_id},
        NULL);
}

static void load_table(struct symbol_module *module)
{
    struct symbol_table *table = &module->table;
    Elf *files[] = {module->file.elf, module->debug.elf, module->mini.elf};
    size_t full = 0;

    module->table_ready = true;
    if (module->origin == OF_KERNEL) {
        if (kallsyms_load(table) <= 0)
            module->kind = SYMBOLS_FROM_NOTHING;
        return;
    }
    for (size_t i = 0; i < 3; i++)
        if (files[i])
            full += elf_symbols_add(table, files[i], SHT_SYMTAB);
    /* .symtab repeats .dynsym, except the small one in .gnu_debugdata. */
    if (!full || module->mini.elf)
        elf_symbols_add(table, module->file.elf, SHT_DYNSYM);
    elf_symbols_add_plt(table, module->file.elf);
    symbol_table_finish(table);
}

static void load_dwarf(struct symbol_module *module)
{
    module->dwarf_ready = true;
    if (module->kind != SYMBOLS_FROM_DWARF)
        return;
    if (has_dwarf(module->file.elf))
        module->dwarf = dwarf_index_open(module->file.elf);
    else if (module->debug.elf)
        module->dwarf = dwarf_index_open(module->debug.elf);
}

static const char *keep(struct symbols *symbols, const char *text)
{
    return text ? strings_get(&symbols->texts, strings_add_str(&symbols->texts, text)) : "";
}

static const char *keep_path(struct symbols *symbols, const char *dir, const char *file)
{
    if (!dir || !file)
        return keep(symbols, file);
    return strings_get(&symbols->texts, strings_addf(&symbols->texts, "%s/%s", dir, file));
}

/* NAME is what the source calls it, for when there is no linkage name. */
static void name_frame(struct symbols *symbols, struct symbol_frame *frame, const char *linkage, const char *name)
{
    char readable[DEMANGLE_MAX + 8];
    size_t len = demangle(linkage && linkage[0] ? linkage : name, readable, &frame->language);

    frame->name = strings_get(&symbols->texts, strings_add(&symbols->texts, readable, len));
    if (linkage && linkage[0] && strlen(linkage) <= DEMANGLE_MAX)
        frame->linkage = keep(symbols, linkage);
    else
        frame->linkage = frame->name;
}

/* Where the function at ADDR begins, for code without symbols; ADDR itself when nothing is known. */
static uint64_t unnamed_start(struct symbol_module *module, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    const struct table_symbol *symbol;

    if (!module->starts_ready) {
        module->starts_ready = true;
        elf_symbols_add_unwind_starts(&module->starts, module->file.elf);
        symbol_table_finish(&module->starts);
    }
    symbol = symbol_table_find(&module->starts, addr, lo, hi);
    return symbol ? symbol->addr : addr;
}

static const char *table_name(struct symbol_module *module, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    const struct table_symbol *symbol;

    if (!module->table_ready)
        load_table(module);
    symbol = symbol_table_find(&module->table, addr, lo, hi);
    return symbol ? symbol->name : NULL;
}

static size_t frames_from_table(struct symbol_module *module, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    const char *linkage = table_name(module, addr, lo, hi);

    if (!linkage)
        return 0;
    GROW(module->frames, 1, module->frame_cap);
    module->frames[0] = (struct symbol_frame){.file = ""};
    name_frame(module->symbols, &module->frames[0], linkage, "");
    return 1;
}

/* A place of which DWARF knows the line only: the symbol table has its function, or nobody. */
static size_t frames_from_line(struct symbol_module *module, uint64_t addr, const struct dwarf_chain *chain,
                               uint64_t *lo, uint64_t *hi)
{
    const struct dwarf_scope *scope = &chain->scopes[0];

    if (!frames_from_table(module, addr, lo, hi))
        return 0;
    if (chain->lo > *lo)
        *lo = chain->lo;
    if (chain->hi < *hi)
        *hi = chain->hi;
    module->frames[0].file = keep_path(module->symbols, scope->dir, scope->file);
    module->frames[0].line = scope->line;
    return 1;
}

static size_t frames_from_dwarf(struct symbol_module *module, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    struct dwarf_chain chain;

    if (!module->dwarf_ready)
        load_dwarf(module);
    if (!module->dwarf || !dwarf_index_find(module->dwarf, addr, &chain))
        return 0;
    if (chain.partial)
        return frames_from_line(module, addr, &chain, lo, hi);
    GROW(module->frames, chain.count, module->frame_cap);
    *lo = chain.lo;
    *hi = chain.hi;
    for (size_t i = 0; i < chain.count; i++) {
        const struct dwarf_scope *scope = &chain.scopes[i];
        struct symbol_frame *frame = &module->frames[i];
        const char *linkage = scope->linkage;
        uint64_t symbol_lo, symbol_hi;

        *frame = (struct symbol_frame){.file = keep_path(module->symbols, scope->dir, scope->file),
                                       .line = scope->line,
                                       .inlined = scope->inlined};
        /* Functions of local linkage may have a name in the symbol table only, and C ones have a better one there. */
        if (!scope->inlined && (!linkage || linkage[0] != '_' || (linkage[1] != 'Z' && linkage[1] != 'R')))
            linkage = table_name(module, addr, &symbol_lo, &symbol_hi);
        name_frame(module->symbols, frame, linkage, scope->name ? scope->name : "[unnamed]");
    }
    module->symbols->stats.units_read += dwarf_index_units_read(module->dwarf) - module->units_counted;
    module->units_counted = dwarf_index_units_read(module->dwarf);
    return chain.count;
}

/* `app+0x1230`, by where the function begins; the kernel and JITs have one name for all of what is not known. */
static size_t frames_without_names(struct symbol_module *module, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    static const char *const names[] = {[OF_KERNEL] = "[kernel]", [OF_JIT] = "[anon]"};
    struct strings *texts = &module->symbols->texts;
    string_id name;

    if (module->origin != OF_FILE)
        name = strings_add_str(texts, names[module->origin]);
    else
        name = strings_addf(texts, "%s+0x%llx", rs_path_base(module->path),
                            (unsigned long long)(module->file.elf ? unnamed_start(module, addr, lo, hi) : addr));
    GROW(module->frames, 1, module->frame_cap);
    module->frames[0] = (struct symbol_frame){.name = strings_get(texts, name), .file = "", .unnamed = true};
    module->frames[0].linkage = module->frames[0].name;
    return 1;
}

static bool stopped(const struct symbols *symbols)
{
    return symbols->options.stop && *symbols->options.stop;
}

size_t symbol_resolve(struct symbol_module *module, uint64_t addr, const struct symbol_frame **frames)
{
    struct symbols_stats *stats = &module->symbols->stats;
    bool partial = module->symbols->options.tables_only || stopped(module->symbols);
    const struct answer_range *range;
    uint64_t lo, hi;
    size_t count = 0;

    if (module->origin == OF_KERNEL)
        addr |= ~SYMBOL_KERNEL_ADDR_MASK;
    lo = addr;
    hi = addr + 1;
    range = answers_find(&module->known, addr);
    stats->resolved++;
    if (range) {
        stats->from_cache++;
        *frames = &module->known.frames[range->first];
        return range->count;
    }
    if (reopen(module)) {
        count = partial ? 0 : frames_from_dwarf(module, addr, &lo, &hi);
        if (!count)
            count = frames_from_table(module, addr, &lo, &hi);
    }
    /* What split DWARF lacks now may be there the next time. */
    if (count && module->cache_name && !partial && !(module->dwarf && dwarf_index_missing(module->dwarf)))
        answers_add(&module->added, lo, hi, module->frames, count);
    if (!count) {
        stats->unknown++;
        count = frames_without_names(module, addr, &lo, &hi);
    }
    *frames = module->frames;
    return count;
}
