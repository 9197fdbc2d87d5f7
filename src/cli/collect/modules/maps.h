/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/unwind.h"
#include "session/session.h"

/*
 * Which code is mapped where, in each process, while its records are replayed in order of time: an address belongs to
 * what was mapped there when it was sampled. exec empties an address space, fork copies it, a new mapping replaces what
 * it covers; unmapping is not reported and need not be, since nothing runs there any more.
 *
 * Files are opened the moment they are first seen, while the process that maps them still lives: through
 * /proc/PID/map_files (deleted and replaced files, memfds), /proc/PID/root (mount namespaces), then by their path; and
 * taken only if they are the file that was mapped, by build-id or inode.
 */
struct mapped_object {
    enum { MAPPED_FILE, MAPPED_VDSO, MAPPED_ANON } kind; /* ANON: code without an ELF file, as JITs make it */
    char *path;                                          /* as the kernel tells it */
    uint64_t identity;                                   /* hash of path and what tells files of one path apart */
    uint8_t build_id[64];
    size_t build_id_len;
    int fd;               /* stays open, so that symbols can be read when the path is gone; -1 */
    const uint8_t *image; /* the file mapped here; NULL: not readable */
    size_t image_bytes;
    bool image_borrowed;
    struct mapped_segment { /* PT_LOAD */
        uint64_t offset, vaddr, file_bytes;
        bool exec;
    } * segments;
    size_t segment_count;
    uint8_t *debug_frame; /* decompressed, where the file has it compressed and no .eh_frame */
    size_t debug_frame_bytes;
    uint64_t debug_frame_vaddr;
    int32_t module; /* in the session's call tree; -1 until an address of it was sampled */
};

struct mapping {
    uint64_t start, end, pgoff;
    struct mapped_object *object;
    uint64_t bias;                /* address - ELF virtual address; 0 for MAPPED_ANON */
    struct mapped_unwind *unwind; /* made when first asked for */
};

struct address_space {
    struct mapping *mappings; /* sorted, not overlapping */
    size_t count, cap;
    uint32_t pid;
    uint16_t id; /* for rs_unwinder.space: changes whenever a mapping is replaced; shared with forks until then */
};

struct maps {
    struct session *session;
    struct mapped_object **objects;
    size_t object_count, object_cap;
    uint32_t *slots; /* identity -> object + 1 */
    size_t slot_count;
    uint16_t next_space_id;
    uint32_t space_generation; /* bumped when ids start over: caches keyed by them must be emptied */
    uint64_t unreadable;       /* objects whose file could not be read */
};

/* What an MMAP record or a line of /proc/PID/maps says. */
struct maps_range {
    uint64_t start, end, pgoff;
    bool exec;
    const char *path; /* NUL-terminated */
    uint32_t major, minor;
    uint64_t inode;          /* 0 unknown */
    const uint8_t *build_id; /* NULL unknown */
    size_t build_id_len;
};

void maps_init(struct maps *maps, struct session *session);
void maps_release(struct maps *maps);

/* A zeroed address_space with its pid is empty. */
void maps_space_release(struct address_space *space);
void maps_exec(struct maps *maps, struct address_space *space);
/* CHILD becomes a copy of PARENT under its own pid. */
void maps_fork(struct maps *maps, struct address_space *child, const struct address_space *parent);
void maps_add(struct maps *maps, struct address_space *space, const struct maps_range *range);

/* Reads /proc/PID/maps of a process that runs already. Returns the number of executable mappings or a negative errno.
 */
int maps_read_proc(struct maps *maps, struct address_space *space);

/*
 * Parses the line of /proc/PID/maps at TEXT (to a line feed or the end, LEN bytes at most) into *RANGE, copying the
 * path into PATH with the kernel's \012 turned back into line feeds. Returns the bytes consumed, or -EINVAL.
 */
int maps_parse_line(const char *text, size_t len, struct maps_range *range, char *path, size_t path_size);

/* The mapping that covers ADDRESS, or NULL. Valid until the space changes. */
struct mapping *maps_find(const struct address_space *space, uint64_t address);

/*
 * What the unwinder needs of MAPPING. For code without a readable ELF file SCRATCH becomes a module without unwind
 * information, and is returned.
 */
const struct rs_unwind_module *maps_unwind_module(struct mapping *mapping, struct rs_unwind_module *scratch);

/* The 8 bytes of code at ADDRESS: of the mapped file, or for anonymous code of the live process. */
bool maps_read_code(const struct address_space *space, uint64_t address, uint64_t *word);

/*
 * The raw frame of the session's call tree for ADDRESS, which must lie in the instruction or call (a return address
 * less 1). An address without a mapping gives the named frame [unknown].
 */
uint32_t maps_frame(struct maps *maps, const struct address_space *space, uint64_t address);

/* Before symbols are read: modules whose path no longer leads to the file that ran get an open_path that does. */
void maps_publish_open_paths(struct maps *maps);
