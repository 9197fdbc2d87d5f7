/* SPDX-License-Identifier: MIT */
#include "collect/channel/slab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

enum {
    PIPE_BYTES = 1 << 20,
    LEFTOVER_SECONDS = 10,
    BACKED_FIRST = 1024, /* pages: 4 MiB */
    BACKED_STEP = 1024,
};

/* Removes NAME in BASE if it is a session's directory of ours whose rustscope is gone. */
static void remove_leftover(int base, const char *name)
{
    int dir = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), slab = -1;
    struct stat st;

    /* What somebody else made is not looked into: there may be a FIFO, or anything, for a slab. */
    if (dir >= 0 && !fstat(dir, &st) && st.st_uid == geteuid())
        slab = openat(dir, "pipe.slab", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    /* A living one holds the lock; one that begins may not have come to it yet. */
    if (slab >= 0 && !fstat(slab, &st) && S_ISREG(st.st_mode) && time(NULL) - st.st_ctime > LEFTOVER_SECONDS &&
        !flock(slab, LOCK_EX | LOCK_NB)) {
        unlinkat(dir, "pipe.slab", 0);
        unlinkat(dir, "pipe", 0);
        unlinkat(base, name, AT_REMOVEDIR);
    }
    if (slab >= 0)
        close(slab);
    if (dir >= 0)
        close(dir);
}

/* A rustscope that was killed leaves its slab behind, up to 64 MiB of memory where that is shared memory. */
static void remove_leftovers(const char *path)
{
    DIR *base = opendir(path);

    if (!base)
        return;
    for (const struct dirent *entry; (entry = readdir(base));)
        if (!strncmp(entry->d_name, "rustscope-", 10) && strlen(entry->d_name) == 16)
            remove_leftover(dirfd(base), entry->d_name);
    closedir(base);
}

/*
 * Shared memory first: writing there never waits for a disk. A person's runtime directory is next, then TMPDIR; FIFOs
 * work on all of them but 9p and some network file systems, so each is tried until one will do.
 */
static int make_dir(struct slab *slab, struct rs_err *err)
{
    const char *bases[] = {"/dev/shm", getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    int rc = -ENOENT;

    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        if (!bases[i] || bases[i][0] != '/' ||
            (size_t)snprintf(slab->dir, sizeof(slab->dir), "%s/rustscope-XXXXXX", bases[i]) >= sizeof(slab->dir))
            continue;
        if (!mkdtemp(slab->dir)) {
            rc = -errno;
            continue;
        }
        snprintf(slab->fifo, sizeof(slab->fifo), "%s/pipe", slab->dir);
        snprintf(slab->path, sizeof(slab->path), "%s.slab", slab->fifo);
        if (!mkfifo(slab->fifo, 0600)) {
            remove_leftovers(bases[i]);
            return 0;
        }
        rc = -errno;
        rmdir(slab->dir);
    }
    slab->dir[0] = '\0';
    return rs_err_set(err, rc,
                      "cannot make a directory with a FIFO under /dev/shm, XDG_RUNTIME_DIR, TMPDIR or /tmp: %s",
                      strerror(-rc));
}

/* The descriptor is the authority: what the path names may have been exchanged. */
static int open_fifo(struct slab *slab, struct rs_err *err)
{
    struct stat st;
    int rc;

    slab->fifo_fd = open(slab->fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (slab->fifo_fd < 0) {
        rc = -errno;
        return rs_err_set(err, rc, "cannot open %s: %s", slab->fifo, strerror(-rc));
    }
    if (fstat(slab->fifo_fd, &st) || !S_ISFIFO(st.st_mode))
        return rs_err_set(err, -ENOTSUP, "%s is not a FIFO", slab->fifo);
    if (st.st_uid != geteuid() || (st.st_mode & 022))
        return rs_err_set(err, -EPERM, "%s belongs to somebody else or others may write to it", slab->fifo);
    fcntl(slab->fifo_fd, F_SETPIPE_SZ, PIPE_BYTES);
    return 0;
}

static int map_slab(struct slab *slab, size_t bytes, uint32_t flags, struct rs_err *err)
{
    uint32_t count = (uint32_t)(bytes / RS_FRAME_BYTES);
    uint32_t first = (RS_SLAB_STATES_OFFSET + count * (uint32_t)sizeof(uint32_t) + RS_FRAME_BYTES - 1) / RS_FRAME_BYTES;
    int rc = 0;

    slab->map_bytes = ((size_t)first + count) * RS_FRAME_BYTES;
    slab->fd = open(slab->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (slab->fd >= 0)
        flock(slab->fd, LOCK_EX | LOCK_NB); /* as long as we live: see remove_leftover() */
    if (slab->fd < 0 || ftruncate(slab->fd, (off_t)slab->map_bytes) ||
        fallocate(slab->fd, 0, 0, ((off_t)first + BACKED_FIRST) * RS_FRAME_BYTES))
        rc = -errno;
    if (!rc) {
        slab->header = mmap(NULL, slab->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slab->fd, 0);
        if (slab->header == MAP_FAILED) {
            rc = -errno;
            slab->header = NULL;
        }
    }
    if (rc)
        return rs_err_set(err, rc, "cannot make %s: %s", slab->path, strerror(-rc));
    slab->page_count = count;
    slab->states = (_Atomic uint32_t *)(void *)((char *)slab->header + RS_SLAB_STATES_OFFSET);
    slab->pages = (char *)slab->header + (size_t)first * RS_FRAME_BYTES;
    for (uint32_t i = BACKED_FIRST; i < count; i++)
        atomic_store_explicit(&slab->states[i], RS_PAGE_UNBACKED, memory_order_relaxed);
    slab->header->version = RS_WIRE_VERSION;
    slab->header->page_count = count;
    slab->header->first_page = first;
    slab->header->flags = flags;
    if (getrandom(&slab->header->session, sizeof(slab->header->session), 0) < 0)
        slab->header->session = (uint64_t)getpid();
    slab->header->backed = BACKED_FIRST;
    slab->header->free_pages = BACKED_FIRST;
    slab->header->magic = RS_SLAB_MAGIC;
    return 0;
}

int slab_open(struct slab *slab, size_t slab_bytes, uint32_t flags, const char *fifo_path, struct rs_err *err)
{
    int rc = 0;

    memset(slab, 0, sizeof(*slab));
    slab->fifo_fd = slab->fd = -1;
    if (fifo_path) {
        if ((size_t)snprintf(slab->fifo, sizeof(slab->fifo), "%s", fifo_path) >= sizeof(slab->fifo))
            return rs_err_set(err, -ENAMETOOLONG, "%s: the path is too long", fifo_path);
        slab->made_fifo = !mkfifo(slab->fifo, 0600);
        if (!slab->made_fifo && errno != EEXIST)
            rc = rs_err_set(err, -errno, "cannot make %s: %s", slab->fifo, strerror(errno));
    } else {
        rc = make_dir(slab, err);
    }
    if (!rc)
        rc = open_fifo(slab, err);
    if (!rc && !fifo_path)
        rc = map_slab(slab, slab_bytes, flags, err);
    if (rc)
        slab_close(slab);
    return rc;
}

void slab_close(struct slab *slab)
{
    if (slab->header)
        munmap(slab->header, slab->map_bytes);
    if (slab->fd >= 0)
        close(slab->fd);
    if (slab->fifo_fd >= 0)
        close(slab->fifo_fd);
    if (slab->made_fifo)
        unlink(slab->fifo);
    if (slab->dir[0]) {
        unlink(slab->path);
        unlink(slab->fifo);
        rmdir(slab->dir);
    }
    memset(slab, 0, sizeof(*slab));
    slab->fifo_fd = slab->fd = -1;
}

uint32_t slab_publish_tick(struct slab *slab, uint64_t now_ns)
{
    uint32_t tick = (uint32_t)(now_ns / RS_TICK_NS);

    tick = tick ? tick : 1;
    if (slab->header)
        atomic_store_explicit(&slab->header->tick, tick, memory_order_relaxed);
    return tick;
}

void slab_grow(struct slab *slab, bool busy)
{
    uint32_t from = slab->header ? atomic_load_explicit(&slab->header->backed, memory_order_relaxed) : 0, step,
             fresh = 0;
    size_t at;

    if (!slab->header || slab->full || from >= slab->page_count ||
        (!busy && atomic_load_explicit(&slab->header->free_pages, memory_order_relaxed) > (int32_t)(from / 2)))
        return;
    step = slab->page_count - from > BACKED_STEP ? BACKED_STEP : slab->page_count - from;
    if (!atomic_compare_exchange_strong(&slab->header->backed, &from, from + step))
        return; /* a writer was faster */
    at = (size_t)(slab->pages - (char *)slab->header) + (size_t)from * RS_FRAME_BYTES;
    if (fallocate(slab->fd, 0, (off_t)at, (off_t)step * RS_FRAME_BYTES)) {
        slab->full = true;
        return;
    }
    for (uint32_t i = from; i < from + step; i++) {
        uint32_t unbacked = RS_PAGE_UNBACKED;

        fresh += atomic_compare_exchange_strong(&slab->states[i], &unbacked, RS_PAGE_FREE);
    }
    atomic_fetch_add(&slab->header->free_pages, (int32_t)fresh);
}

void slab_free_page(struct slab *slab, uint32_t page)
{
    __atomic_store_n(&slab_page(slab, page)->magic, 0, __ATOMIC_RELAXED);
    atomic_store_explicit(&slab->states[page], RS_PAGE_FREE, memory_order_release);
    atomic_fetch_add_explicit(&slab->header->free_pages, 1, memory_order_relaxed);
    if (page < atomic_load_explicit(&slab->header->hint, memory_order_relaxed))
        atomic_store_explicit(&slab->header->hint, page, memory_order_relaxed);
}
