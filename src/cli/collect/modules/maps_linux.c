/* SPDX-License-Identifier: MIT */
#include "collect/modules/maps.h"

#include <elf.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/proc_view.h"
#include "base/text.h"
#include "core/path.h"

enum { MAPS_TEXT_MAX_BYTES = 64 << 20, MAX_SEGMENTS = 64 };
static const char DELETED[] = " (deleted)";

/* An unwind module and the index that it borrows. */
struct mapped_unwind {
    struct rs_unwind_module module;
    struct rs_fde_ref *index;
    bool usable;
};

void maps_init(struct maps *maps, struct session *session)
{
    *maps = (struct maps){.session = session, .next_space_id = 1};
    elf_version(EV_CURRENT);
}

static void object_free(struct mapped_object *object)
{
    if (object->image && !object->image_borrowed)
        munmap((void *)object->image, object->image_bytes);
    if (object->fd >= 0)
        close(object->fd);
    free(object->debug_frame);
    free(object->segments);
    free(object->path);
    free(object);
}

void maps_release(struct maps *maps)
{
    for (size_t i = 0; i < maps->object_count; i++)
        object_free(maps->objects[i]);
    free(maps->objects);
    free(maps->slots);
    *maps = (struct maps){0};
}

/* ---- opening what is mapped ---- */

/* Reads the load segments and the build-id of an ELF file. False: the file is not one. */
static bool read_elf(struct mapped_object *object, Elf *elf)
{
    const void *build_id;
    ssize_t build_id_len;
    size_t count = 0;
    GElf_Phdr phdr;

    if (elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &count) != 0)
        return false;
    if (count > MAX_SEGMENTS)
        count = MAX_SEGMENTS;
    object->segments = xcalloc(count ? count : 1, sizeof(*object->segments));
    object->segment_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!gelf_getphdr(elf, (int)i, &phdr) || phdr.p_type != PT_LOAD)
            continue;
        object->segments[object->segment_count++] = (struct mapped_segment){
            .offset = phdr.p_offset,
            .vaddr = phdr.p_vaddr,
            .file_bytes = phdr.p_filesz,
            .exec = phdr.p_flags & PF_X,
        };
    }
    build_id_len = dwelf_elf_gnu_build_id(elf, &build_id);
    object->build_id_len = 0;
    if (build_id_len > 0 && (size_t)build_id_len <= sizeof(object->build_id)) {
        memcpy(object->build_id, build_id, (size_t)build_id_len);
        object->build_id_len = (size_t)build_id_len;
    }
    return object->segment_count > 0;
}

/* Code described by a compressed .debug_frame only, as some kernels of languages without exceptions link it. */
static void read_compressed_debug_frame(struct mapped_object *object, Elf *elf)
{
    Elf_Scn *section = NULL;
    size_t names;

    if (elf_getshdrstrndx(elf, &names) != 0)
        return;
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        Elf_Data *data;
        const char *name;

        if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_COMPRESSED))
            continue;
        name = elf_strptr(elf, names, header.sh_name);
        if (!name || strcmp(name, ".debug_frame") != 0 || elf_compress(section, 0, 0) < 0)
            continue;
        data = elf_getdata(section, NULL);
        if (!data || !data->d_size)
            return;
        object->debug_frame = xmalloc(data->d_size);
        memcpy(object->debug_frame, data->d_buf, data->d_size);
        object->debug_frame_bytes = data->d_size;
        object->debug_frame_vaddr = header.sh_addr;
        return;
    }
}

/* Whether the open file is the one that RANGE was made from. What cannot be compared is believed. */
static bool is_the_mapped_file(const struct mapped_object *object, int fd, const struct maps_range *range)
{
    struct stat st;

    if (range->build_id_len)
        return object->build_id_len >= range->build_id_len &&
               !memcmp(object->build_id, range->build_id, range->build_id_len);
    if (!range->inode || fstat(fd, &st) != 0)
        return true;
    /* The device is not compared: overlay file systems and btrfs tell another one here than in the record. */
    return st.st_ino == range->inode;
}

static bool take_image(struct mapped_object *object, int fd, const struct maps_range *range)
{
    Elf *elf = NULL;
    struct stat st;
    void *image;

    /* Opened without blocking: a path may meanwhile lead to a FIFO or a device. */
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !st.st_size)
        goto refuse;
    elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (!elf || !read_elf(object, elf) || !is_the_mapped_file(object, fd, range))
        goto refuse;
    image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED)
        goto refuse;
    read_compressed_debug_frame(object, elf);
    object->image = image;
    object->image_bytes = (size_t)st.st_size;
    object->fd = fd;
    elf_end(elf);
    return true;

refuse:
    free(object->segments);
    object->segments = NULL;
    object->segment_count = 0;
    elf_end(elf);
    close(fd);
    return false;
}

static bool try_path(struct mapped_object *object, const struct maps_range *range, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    return fd >= 0 && take_image(object, fd, range);
}

static bool open_file(struct mapped_object *object, const struct maps_range *range, uint32_t pid)
{
    char path[64];
    char *rooted;
    bool done;

    snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", proc_pid((pid_t)pid), (unsigned long long)range->start,
             (unsigned long long)range->end);
    if (try_path(object, range, path))
        return true;
    if (text_ends_with(range->path, DELETED)) {
        /* Without privileges map_files is closed; the main program can still be had. */
        snprintf(path, sizeof(path), "/proc/%u/exe", proc_pid((pid_t)pid));
        return range->build_id_len + range->inode > 0 && try_path(object, range, path);
    }
    rooted = xasprintf("/proc/%u/root%s", proc_pid((pid_t)pid), range->path);
    done = try_path(object, range, rooted);
    free(rooted);
    return done || try_path(object, range, range->path);
}

/* Our own vDSO is every process's: the kernel has one a word size. */
static void open_vdso(struct mapped_object *object)
{
    const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    Elf64_Ehdr header;
    Elf *elf;

    if (!image)
        return;
    memcpy(&header, image, sizeof(header));
    object->image = image;
    object->image_borrowed = true;
    object->image_bytes = header.e_shoff + (uint64_t)header.e_shnum * header.e_shentsize;
    elf = elf_memory((char *)image, object->image_bytes);
    if (!elf || !read_elf(object, elf))
        object->image = NULL;
    elf_end(elf);
}

/* ---- objects ---- */

static uint64_t identity_of(const struct maps_range *range, uint32_t pid, int kind)
{
    uint64_t hash = hash_bytes(range->path, strlen(range->path));

    if (kind == MAPPED_ANON) /* every process has its own */
        return hash_pair(pid, (uint64_t)kind);
    if (kind == MAPPED_VDSO)
        return hash_u64((uint64_t)kind);
    if (range->build_id_len)
        return hash_pair(hash, hash_bytes(range->build_id, range->build_id_len));
    return hash_pair(hash, hash_pair((uint64_t)range->major << 32 | range->minor, range->inode));
}

static void rehash(struct maps *maps)
{
    free(maps->slots);
    maps->slot_count = maps->slot_count ? maps->slot_count * 2 : 256;
    maps->slots = xcalloc(maps->slot_count, sizeof(*maps->slots));
    for (size_t i = 0; i < maps->object_count; i++) {
        size_t slot = maps->objects[i]->identity & (maps->slot_count - 1);

        while (maps->slots[slot])
            slot = (slot + 1) & (maps->slot_count - 1);
        maps->slots[slot] = (uint32_t)i + 1;
    }
}

/* The object with IDENTITY; a new, empty one (object->path NULL) when there is none. */
static struct mapped_object *intern_object(struct maps *maps, uint64_t identity)
{
    struct mapped_object *object;
    size_t slot;

    if ((maps->object_count + 1) * 2 > maps->slot_count)
        rehash(maps);
    for (slot = identity & (maps->slot_count - 1); maps->slots[slot]; slot = (slot + 1) & (maps->slot_count - 1))
        if (maps->objects[maps->slots[slot] - 1]->identity == identity)
            return maps->objects[maps->slots[slot] - 1];
    object = xcalloc(1, sizeof(*object));
    object->identity = identity;
    object->fd = -1;
    object->module = -1;
    GROW(maps->objects, maps->object_count + 1, maps->object_cap);
    maps->objects[maps->object_count++] = object;
    maps->slots[slot] = (uint32_t)maps->object_count;
    return object;
}

static struct mapped_object *anon_object(struct maps *maps, uint32_t pid)
{
    struct maps_range range = {.path = ""};
    struct mapped_object *object = intern_object(maps, identity_of(&range, pid, MAPPED_ANON));

    if (!object->path) {
        object->kind = MAPPED_ANON;
        object->path = xasprintf("[anon:%u]", pid);
    }
    return object;
}

static bool is_file_path(const char *path)
{
    return path[0] == '/' && path[1] != '/'; /* perf calls anonymous memory //anon */
}

/* What RANGE of process PID maps. A file that is not an ELF file (a JIT's memfd) counts as anonymous code. */
static struct mapped_object *object_for(struct maps *maps, const struct maps_range *range, uint32_t pid)
{
    int kind = !strcmp(range->path, "[vdso]") ? MAPPED_VDSO : is_file_path(range->path) ? MAPPED_FILE : MAPPED_ANON;
    struct mapped_object *object;

    if (kind == MAPPED_ANON)
        return anon_object(maps, pid);
    object = intern_object(maps, identity_of(range, pid, kind));
    if (object->path)
        return object->kind == MAPPED_ANON ? anon_object(maps, pid) : object;

    object->path = xstrdup(range->path);
    if (kind == MAPPED_VDSO) {
        object->kind = MAPPED_VDSO;
        open_vdso(object);
    } else if (open_file(object, range, pid)) {
        object->kind = MAPPED_FILE;
    } else if (!strncmp(range->path, "/memfd:", 7) || !strncmp(range->path, "/dev/", 5)) {
        object->kind = MAPPED_ANON;
        return anon_object(maps, pid);
    } else {
        object->kind = MAPPED_FILE;
        if (range->build_id_len <= sizeof(object->build_id)) {
            memcpy(object->build_id, range->build_id ? range->build_id : object->build_id, range->build_id_len);
            object->build_id_len = range->build_id_len;
        }
        maps->unreadable++;
    }
    return object;
}

/*
 * Address less ELF virtual address. The mapping starts with the page of file offset pgoff; several segments may share
 * that page, so an executable one is preferred. Of a file that cannot be read the offset has to do as the address.
 */
static uint64_t bias_of(const struct mapped_object *object, const struct maps_range *range)
{
    const struct mapped_segment *best = NULL;

    if (object->kind == MAPPED_ANON)
        return 0;
    for (size_t i = 0; i < object->segment_count; i++) {
        const struct mapped_segment *segment = &object->segments[i];
        uint64_t first_page = segment->offset & ~UINT64_C(0xfff);

        if (range->pgoff >= first_page && range->pgoff < segment->offset + segment->file_bytes &&
            (!best || segment->exec > best->exec))
            best = segment;
    }
    if (!best)
        return range->start - range->pgoff;
    return range->start - (best->vaddr - best->offset + range->pgoff);
}

/* ---- address spaces ---- */

static void unwind_free(struct mapped_unwind *unwind)
{
    if (unwind)
        free(unwind->index);
    free(unwind);
}

static void clear(struct address_space *space)
{
    for (size_t i = 0; i < space->count; i++)
        unwind_free(space->mappings[i].unwind);
    space->count = 0;
}

void maps_space_release(struct address_space *space)
{
    clear(space);
    free(space->mappings);
    *space = (struct address_space){0};
}

static void take_new_id(struct maps *maps, struct address_space *space)
{
    space->id = maps->next_space_id++;
    if (!space->id) { /* all 65,535 were used */
        space->id = maps->next_space_id++;
        maps->space_generation++;
    }
}

void maps_exec(struct maps *maps, struct address_space *space)
{
    clear(space);
    take_new_id(maps, space);
}

void maps_fork(struct maps *maps, struct address_space *child, const struct address_space *parent)
{
    uint32_t pid = child->pid;

    clear(child);
    GROW(child->mappings, parent->count, child->cap);
    for (size_t i = 0; i < parent->count; i++) {
        child->mappings[i] = parent->mappings[i];
        child->mappings[i].unwind = NULL;
        if (child->mappings[i].object->kind == MAPPED_ANON)
            child->mappings[i].object = anon_object(maps, pid);
    }
    child->count = parent->count;
    child->id = parent->id;
}

/* The first mapping that ends behind ADDRESS. */
static size_t first_behind(const struct address_space *space, uint64_t address)
{
    size_t low = 0, high = space->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (space->mappings[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct mapping *maps_find(const struct address_space *space, uint64_t address)
{
    size_t i = first_behind(space, address);

    return i < space->count && space->mappings[i].start <= address ? &space->mappings[i] : NULL;
}

/* Makes a hole in the list: mappings that reach into [start, end) are cut, split or removed. Returns where it is. */
static size_t punch_hole(struct address_space *space, uint64_t start, uint64_t end)
{
    size_t at = first_behind(space, start), behind;

    if (at < space->count && space->mappings[at].start < start) {
        struct mapping *left = &space->mappings[at];

        if (left->end > end) { /* the hole is inside it */
            GROW(space->mappings, space->count + 1, space->cap);
            left = &space->mappings[at];
            memmove(left + 1, left, (space->count - at) * sizeof(*left));
            space->count++;
            left->unwind = NULL;
        }
        left->end = start;
        at++;
    }
    for (behind = at; behind < space->count && space->mappings[behind].end <= end; behind++)
        unwind_free(space->mappings[behind].unwind);
    if (behind > at)
        memmove(&space->mappings[at], &space->mappings[behind], (space->count - behind) * sizeof(*space->mappings));
    space->count -= behind - at;
    if (at < space->count && space->mappings[at].start < end) {
        space->mappings[at].pgoff += end - space->mappings[at].start;
        space->mappings[at].start = end;
    }
    return at;
}

void maps_add(struct maps *maps, struct address_space *space, const struct maps_range *range)
{
    struct mapping new = {.start = range->start, .end = range->end, .pgoff = range->pgoff};
    struct mapping *old;
    bool replaces;
    size_t at;

    if (!range->exec || range->start >= range->end)
        return;
    new.object = object_for(maps, range, space->pid);
    new.bias = bias_of(new.object, range);
    old = maps_find(space, new.start);
    if (old && old->end >= new.end && old->object == new.object && old->bias == new.bias)
        return; /* a JIT that makes its pages writable and executable again and again */

    at = first_behind(space, new.start);
    replaces = at < space->count && space->mappings[at].start < new.end;
    if (replaces || !space->id)
        take_new_id(maps, space);
    at = punch_hole(space, new.start, new.end);
    if (at && space->mappings[at - 1].object == new.object && space->mappings[at - 1].end == new.start &&
        space->mappings[at - 1].bias == new.bias) {
        struct mapping *left = &space->mappings[at - 1];

        left->end = new.end;
        unwind_free(left->unwind);
        left->unwind = NULL;
        return;
    }
    GROW(space->mappings, space->count + 1, space->cap);
    memmove(&space->mappings[at + 1], &space->mappings[at], (space->count - at) * sizeof(new));
    space->mappings[at] = new;
    space->count++;
}

/* ---- /proc/PID/maps ---- */

static int octal(char c)
{
    return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* The kernel writes a line feed in a path as \012 and leaves everything else as it is. */
static void copy_path(char *to, size_t size, const char *from, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n + 1 < size; i++) {
        if (from[i] == '\\' && len - i > 3 && octal(from[i + 1]) == 0 && octal(from[i + 2]) == 1 &&
            octal(from[i + 3]) == 2) {
            to[n++] = '\n';
            i += 3;
        } else {
            to[n++] = from[i];
        }
    }
    to[n] = '\0';
}

int maps_parse_line(const char *text, size_t len, struct maps_range *range, char *path, size_t path_size)
{
    const char *newline = memchr(text, '\n', len);
    size_t line_len = newline ? (size_t)(newline - text) : len;
    unsigned long long start, end, pgoff, inode;
    char head[128], prot[8];
    unsigned major, minor;
    int path_at = 0;

    snprintf(head, sizeof(head), "%.*s", (int)(line_len < sizeof(head) ? line_len : sizeof(head) - 1), text);
    if (sscanf(head, "%llx-%llx %7s %llx %x:%x %llu%n", &start, &end, prot, &pgoff, &major, &minor, &inode, &path_at) !=
            7 ||
        start >= end || strlen(prot) < 4)
        return -EINVAL;
    while ((size_t)path_at < line_len && text[path_at] == ' ')
        path_at++;
    copy_path(path, path_size, text + path_at, line_len - (size_t)path_at);
    *range = (struct maps_range){
        .start = start,
        .end = end,
        .pgoff = pgoff,
        .exec = prot[2] == 'x',
        .path = path,
        .major = major,
        .minor = minor,
        .inode = inode,
    };
    return (int)(line_len + (newline ? 1 : 0));
}

static char *read_all(const char *path, size_t *len)
{
    size_t cap = 0;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *len = 0;
    if (fd < 0)
        return NULL;
    while (*len < MAPS_TEXT_MAX_BYTES) {
        ssize_t n;

        GROW(text, *len + 65536, cap);
        n = read(fd, text + *len, cap - *len);
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    close(fd);
    return text;
}

int maps_read_proc(struct maps *maps, struct address_space *space)
{
    char name[32], path[4200];
    struct maps_range range;
    size_t len;
    char *text;
    int count = 0;

    snprintf(name, sizeof(name), "/proc/%u/maps", proc_pid((pid_t)space->pid));
    text = read_all(name, &len);
    if (!text)
        return -errno;
    for (size_t at = 0; at < len;) {
        int used = maps_parse_line(text + at, len - at, &range, path, sizeof(path));
        const char *newline = memchr(text + at, '\n', len - at);

        if (used > 0 && range.exec) {
            maps_add(maps, space, &range);
            count++;
        }
        if (!newline)
            break;
        at = (size_t)(newline - text) + 1;
    }
    free(text);
    return count;
}

/* ---- frames ---- */

static struct mapped_unwind *make_unwind(const struct mapping *mapping)
{
    struct mapped_unwind *unwind = xcalloc(1, sizeof(*unwind));
    const struct mapped_object *object = mapping->object;
    size_t count;
    int rc = -ENOEXEC;

    if (object->image)
        rc = rs_unwind_module_elf(&unwind->module, object->image, object->image_bytes, mapping->start, mapping->end,
                                  mapping->bias);
    if (rc != 0 && rc != -ENODATA)
        return unwind;
    unwind->usable = true;
    if (object->debug_frame && !unwind->module.eh.len) {
        unwind->module.debug = (struct rs_cfi_section){
            .bytes = object->debug_frame,
            .len = object->debug_frame_bytes,
            .addr = object->debug_frame_vaddr + mapping->bias,
        };
    }
    count = unwind->module.table.len ? 0 : rs_unwind_index(&unwind->module, NULL, 0);
    if (count) {
        unwind->index = xcalloc(count, sizeof(*unwind->index));
        rs_unwind_index(&unwind->module, unwind->index, count);
    }
    return unwind;
}

const struct rs_unwind_module *maps_unwind_module(struct mapping *mapping, struct rs_unwind_module *scratch)
{
    if (!mapping->unwind)
        mapping->unwind = make_unwind(mapping);
    if (mapping->unwind->usable)
        return &mapping->unwind->module;
    *scratch = (struct rs_unwind_module){.start = mapping->start, .end = mapping->end};
    return scratch;
}

bool maps_read_code(const struct address_space *space, uint64_t address, uint64_t *word)
{
    const struct mapping *mapping = maps_find(space, address);
    struct iovec local = {.iov_base = word, .iov_len = sizeof(*word)};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = sizeof(*word)};

    if (!mapping)
        return false;
    for (size_t i = 0; i < mapping->object->segment_count; i++) {
        const struct mapped_segment *segment = &mapping->object->segments[i];
        uint64_t vaddr = address - mapping->bias, offset = vaddr - segment->vaddr;

        if (vaddr < segment->vaddr || offset >= segment->file_bytes)
            continue;
        offset += segment->offset;
        if (!mapping->object->image || mapping->object->image_bytes < sizeof(*word) ||
            offset > mapping->object->image_bytes - sizeof(*word))
            return false;
        memcpy(word, mapping->object->image + offset, sizeof(*word));
        return true;
    }
    return mapping->object->kind == MAPPED_ANON &&
           process_vm_readv((pid_t)space->pid, &local, 1, &remote, 1, 0) == sizeof(*word);
}

static string_id build_id_text(struct session *session, const struct mapped_object *object)
{
    char hex[2 * sizeof(object->build_id) + 1] = "";

    for (size_t i = 0; i < object->build_id_len; i++)
        snprintf(hex + 2 * i, 3, "%02x", object->build_id[i]);
    return strings_add_str(&session->strings, hex);
}

/* "libx.so" of "/usr/lib/libx.so (deleted)". */
static string_id file_name(struct session *session, const char *path)
{
    const char *name = path[0] == '/' ? rs_path_base(path) : path;
    size_t len = strlen(name);

    if (text_ends_with(name, DELETED))
        len -= strlen(DELETED);
    return strings_add(&session->strings, name, len);
}

/*
 * The dynamic loader knows a file by the path that it was asked for (/lib/libx.so.1), the kernel by where it lies
 * (/usr/lib/libx.so.1.2). The latter is the module's, so that samples and allocations meet in one; unless it leads to
 * another file here, as for a process of another mount namespace. Freed by the caller.
 */
static char *path_of_module(const struct mapped_object *object)
{
    char *real = object->kind == MAPPED_FILE && object->fd >= 0 ? realpath(object->path, NULL) : NULL;
    struct stat opened, named;

    if (real && fstat(object->fd, &opened) == 0 && stat(real, &named) == 0 && named.st_ino == opened.st_ino &&
        named.st_dev == opened.st_dev)
        return real;
    free(real);
    return xstrdup(object->path);
}

static void make_module(struct maps *maps, struct mapped_object *object)
{
    struct session *session = maps->session;
    char *path = path_of_module(object);
    struct module *module;
    bool is_new;

    object->module = (int32_t)calltree_module(&session->tree, strings_add_str(&session->strings, path),
                                              build_id_text(session, object), &is_new);
    module = &session->tree.modules[object->module];
    if (!is_new) {
        free(path);
        return;
    }
    module->name =
        object->kind == MAPPED_ANON ? strings_add_str(&session->strings, "[anon]") : file_name(session, path);
    free(path);
#if defined(__x86_64__)
    module->arch = strings_add_str(&session->strings, "x86_64");
#else
    module->arch = strings_add_str(&session->strings, "aarch64");
#endif
}

uint32_t maps_frame(struct maps *maps, const struct address_space *space, uint64_t address)
{
    struct mapping *mapping = maps_find(space, address);
    struct session *session = maps->session;

    if (!mapping)
        return calltree_named_frame(&session->tree, strings_add_str(&session->strings, "[unknown]"), LAYER_UNKNOWN);
    if (mapping->object->module < 0)
        make_module(maps, mapping->object);
    return calltree_frame(&session->tree, (uint32_t)mapping->object->module, address - mapping->bias);
}

void maps_publish_open_paths(struct maps *maps)
{
    for (size_t i = 0; i < maps->object_count; i++) {
        struct mapped_object *object = maps->objects[i];
        struct stat opened, named;

        if (object->module < 0 || object->fd < 0 || fstat(object->fd, &opened) != 0)
            continue;
        if (stat(object->path, &named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev)
            continue;
        maps->session->tree.modules[object->module].open_path =
            strings_addf(&maps->session->strings, "/proc/self/fd/%d", object->fd);
    }
}
