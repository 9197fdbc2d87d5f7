/* SPDX-License-Identifier: MIT */
#include "symbol/jit.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "symbol/text_scan.h"

enum { LARGEST_MAP_BYTES = 256 << 20, LONGEST_NAME = 64 * 1024 };

static bool add(struct symbol_table *table, uint64_t addr, uint64_t size, const char *name, size_t len)
{
    if (!size || addr + size < addr || !len || table->count >= JIT_MAX_ENTRIES)
        return false;
    symbol_table_add(table, &(struct table_symbol){.addr = addr,
                                                   .end = addr + size,
                                                   .name = symbol_table_keep(table, name, len),
                                                   .rank = (uint32_t)table->count,
                                                   .sized = true});
    return true;
}

size_t jit_parse_map(struct symbol_table *table, const char *text, size_t len)
{
    struct text_scan all = {text, text + len}, line;
    size_t before = table->count;

    while (scan_line(&all, &line)) {
        uint64_t addr, size;
        size_t name_len;

        if (!scan_hex(&line, &addr) || !scan_char(&line, ' ') || !scan_hex(&line, &size) || !scan_char(&line, ' '))
            continue;
        if (line.end > line.at && line.end[-1] == '\r')
            line.end--;
        name_len = (size_t)(line.end - line.at);
        add(table, addr, size, line.at, name_len < LONGEST_NAME ? name_len : LONGEST_NAME);
    }
    return table->count - before;
}

/* The layout is in the kernel's tools/perf/Documentation/jitdump-specification.txt. */
struct dump_header {
    uint32_t magic, version, total_size, elf_mach, pad, pid;
    uint64_t timestamp, flags;
};

struct dump_record {
    uint32_t id, total_size;
    uint64_t timestamp;
};

struct dump_load {
    struct dump_record record;
    uint32_t pid, tid;
    uint64_t vma, code_addr, code_size, code_index;
    /* the name, NUL-terminated, and the code follow */
};

struct dump_move {
    struct dump_record record;
    uint32_t pid, tid;
    uint64_t vma, old_code_addr, new_code_addr, code_size, code_index;
};

static const uint32_t DUMP_MAGIC = 0x4a695444;
enum { DUMP_CODE_LOAD = 0, DUMP_CODE_MOVE = 1 };

static void add_load(struct symbol_table *table, const unsigned char *bytes, size_t len)
{
    struct dump_load load;
    const char *name = (const char *)bytes + sizeof(load);
    size_t name_len;

    if (len <= sizeof(load))
        return;
    memcpy(&load, bytes, sizeof(load));
    name_len = strnlen(name, len - sizeof(load));
    if (name_len < len - sizeof(load))
        add(table, load.code_addr, load.code_size, name, name_len < LONGEST_NAME ? name_len : LONGEST_NAME);
}

/* Code that moves keeps its name: the newest entry at the old address, which V8 moves soon after loading it. */
static void add_move(struct symbol_table *table, const unsigned char *bytes, size_t len)
{
    enum { FARTHEST_BACK = 4096 };
    struct dump_move move;

    if (len < sizeof(move))
        return;
    memcpy(&move, bytes, sizeof(move));
    for (size_t i = table->count, steps = 0; i-- > 0 && steps < FARTHEST_BACK; steps++)
        if (table->list[i].addr == move.old_code_addr) {
            const char *name = table->list[i].name;

            add(table, move.new_code_addr, move.code_size, name, strlen(name));
            return;
        }
}

static void add_record(struct symbol_table *table, const struct dump_record *record, const unsigned char *bytes,
                       size_t len)
{
    if (record->id == DUMP_CODE_LOAD)
        add_load(table, bytes, len);
    else if (record->id == DUMP_CODE_MOVE)
        add_move(table, bytes, len);
}

/* The offset of the first record; 0 when BYTES begin no dump of this machine's byte order. */
static uint32_t first_record(const unsigned char *bytes, size_t len)
{
    struct dump_header header;

    if (len < sizeof(header))
        return 0;
    memcpy(&header, bytes, sizeof(header));
    return header.magic == DUMP_MAGIC && header.total_size >= sizeof(header) ? header.total_size : 0;
}

size_t jit_parse_dump(struct symbol_table *table, const unsigned char *bytes, size_t len)
{
    size_t before = table->count;
    struct dump_record record;

    for (size_t at = first_record(bytes, len); at && at < len && len - at >= sizeof(record); at += record.total_size) {
        memcpy(&record, bytes + at, sizeof(record));
        if (record.total_size < sizeof(record) || record.total_size > len - at)
            break;
        add_record(table, &record, bytes + at, record.total_size);
    }
    return table->count - before;
}

/* The same from a file, without the code that makes up most of it. */
static size_t read_dump(struct symbol_table *table, int fd)
{
    unsigned char *bytes = xmalloc(LONGEST_NAME);
    ssize_t got = pread(fd, bytes, sizeof(struct dump_header), 0);
    off_t at = got > 0 ? (off_t)first_record(bytes, (size_t)got) : 0;
    size_t before = table->count;
    struct dump_record record;

    while (at && table->count < JIT_MAX_ENTRIES) {
        got = pread(fd, bytes, LONGEST_NAME, at);
        if (got < (ssize_t)sizeof(record))
            break;
        memcpy(&record, bytes, sizeof(record));
        if (record.total_size < sizeof(record))
            break;
        add_record(table, &record, bytes, record.total_size < (size_t)got ? record.total_size : (size_t)got);
        at += record.total_size;
    }
    free(bytes);
    return table->count - before;
}

static bool is_trusted(const struct stat *st)
{
    const char *sudo_uid = geteuid() ? NULL : getenv("SUDO_UID");

    if (!S_ISREG(st->st_mode) || (st->st_mode & S_IWOTH))
        return false;
    return st->st_uid == geteuid() || (sudo_uid && st->st_uid == (uid_t)strtoul(sudo_uid, NULL, 10));
}

/* PATH as a descriptor when it may be believed, else -1. */
static int open_trusted(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) || !is_trusted(&st))) {
        close(fd);
        return -1;
    }
    return fd;
}

static size_t load_map(struct symbol_table *table, const char *path)
{
    int fd = open_trusted(path);
    size_t len, count = 0;
    char *text;

    if (fd < 0)
        return 0;
    text = scan_read_fd(fd, LARGEST_MAP_BYTES, &len);
    if (text)
        count = jit_parse_map(table, text, len);
    free(text);
    close(fd);
    return count;
}

static size_t load_dump(struct symbol_table *table, const char *path)
{
    int fd = open_trusted(path);
    size_t count;

    if (fd < 0)
        return 0;
    count = read_dump(table, fd);
    close(fd);
    return count;
}

/* What PID calls itself in its innermost pid namespace; PID itself when it is gone. */
static int own_pid_of(int pid)
{
    char text[8192];
    size_t len = proc_read(pid, "status", text, sizeof(text));
    int own;

    return proc_status_innermost_pid(text, len, &own) ? pid : own;
}

/* ~/.debug/jit/<language and date>/jit-PID.dump, where LLVM and the JVM's agent put it. */
static size_t load_home_dumps(struct symbol_table *table, int pid)
{
    const char *home = getenv("HOME");
    size_t count = 0;
    char *pattern;
    glob_t found;

    if (!home)
        return 0;
    pattern = xasprintf("%s/.debug/jit/*/jit-%d.dump", home, pid);
    if (!glob(pattern, GLOB_NOSORT, NULL, &found)) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            count += load_dump(table, found.gl_pathv[i]);
        globfree(&found);
    }
    free(pattern);
    return count;
}

size_t jit_load(struct symbol_table *table, int pid, const char *cwd)
{
    int own = own_pid_of(pid);
    size_t count = 0;
    char *path, inside[64];

    count += load_map(table, proc_path(inside, sizeof(inside), "%u/root/tmp/perf-%d.map", proc_pid(pid), own));
    if (!count) {
        path = xasprintf("/tmp/perf-%d.map", pid);
        count += load_map(table, path);
        free(path);
    }
    path = xasprintf("%s/jit-%d.dump", cwd && cwd[0] ? cwd : ".", pid);
    count += load_dump(table, path);
    free(path);
    count += load_home_dumps(table, pid);
    symbol_table_finish(table);
    return count;
}
