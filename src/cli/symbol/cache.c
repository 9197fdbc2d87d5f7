/* SPDX-License-Identifier: MIT */
#include "symbol/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/cache_dir.h"
#include "session/strings.h"

static const uint64_t LARGEST_DIRECTORY_BYTES = (uint64_t)256 * 1000 * 1000;
enum { STALE_TEMPORARY_SEC = 3600 };

/* The file, in the byte order of the machine that wrote it (another one's magic does not match). */
struct file_header {
    uint64_t magic;
    uint64_t identity;
    uint32_t crc; /* of all that follows the header */
    uint32_t range_count, frame_count, blob_bytes;
};

struct file_range {
    uint64_t lo, hi;
    uint32_t first, count;
};

struct file_frame {
    uint32_t name, linkage, file; /* offsets into the blob */
    uint32_t line;
    uint32_t flags; /* bit 0: inlined; bits 1-2: language */
};

_Static_assert(sizeof(struct file_header) == 32 && sizeof(struct file_range) == 24 && sizeof(struct file_frame) == 20,
               "the layout of cache files");

static const uint64_t MAGIC = 0x0002636d79735352ull; /* "RSsymc", version 2 */

void answers_release(struct answers *answers)
{
    free(answers->ranges);
    free(answers->frames);
    free(answers->blob);
    *answers = (struct answers){0};
}

void answers_add(struct answers *answers, uint64_t lo, uint64_t hi, const struct symbol_frame *frames, size_t count)
{
    GROW(answers->ranges, answers->range_count + 1, answers->range_cap);
    answers->ranges[answers->range_count++] =
        (struct answer_range){lo, hi, (uint32_t)answers->frame_count, (uint32_t)count};
    GROW(answers->frames, answers->frame_count + count, answers->frame_cap);
    memcpy(answers->frames + answers->frame_count, frames, count * sizeof(*frames));
    answers->frame_count += count;
}

const struct answer_range *answers_find(const struct answers *answers, uint64_t addr)
{
    size_t low = 0, high = answers->range_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (answers->ranges[middle].lo <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low && answers->ranges[low - 1].hi > addr ? &answers->ranges[low - 1] : NULL;
}

static bool parse_ranges(const unsigned char *bytes, const struct file_header *header, struct answers *answers)
{
    uint64_t last_hi = 0;

    answers->ranges = xcalloc(header->range_count, sizeof(*answers->ranges));
    for (uint32_t i = 0; i < header->range_count; i++) {
        struct file_range range;

        memcpy(&range, bytes + i * sizeof(range), sizeof(range));
        if (range.hi <= range.lo || range.lo < last_hi || !range.count || range.first > header->frame_count ||
            range.count > header->frame_count - range.first)
            return false;
        last_hi = range.hi;
        answers->ranges[i] = (struct answer_range){range.lo, range.hi, range.first, range.count};
    }
    answers->range_count = answers->range_cap = header->range_count;
    return true;
}

static bool parse_frames(const unsigned char *bytes, const struct file_header *header, struct answers *answers)
{
    answers->frames = xcalloc(header->frame_count, sizeof(*answers->frames));
    for (uint32_t i = 0; i < header->frame_count; i++) {
        struct file_frame frame;

        memcpy(&frame, bytes + i * sizeof(frame), sizeof(frame));
        if (frame.name >= header->blob_bytes || frame.linkage >= header->blob_bytes ||
            frame.file >= header->blob_bytes || frame.flags >> 1 > LANGUAGE_RUST)
            return false;
        answers->frames[i] = (struct symbol_frame){.name = answers->blob + frame.name,
                                                   .linkage = answers->blob + frame.linkage,
                                                   .file = answers->blob + frame.file,
                                                   .line = frame.line,
                                                   .language = (enum symbol_language)(frame.flags >> 1),
                                                   .inlined = frame.flags & 1};
    }
    answers->frame_count = answers->frame_cap = header->frame_count;
    return true;
}

bool cache_parse(const void *bytes, size_t len, uint64_t identity, struct answers *answers)
{
    const unsigned char *at = (const unsigned char *)bytes + sizeof(struct file_header);
    struct file_header header;
    uint64_t ranges_bytes, frames_bytes;

    *answers = (struct answers){0};
    if (len < sizeof(header))
        return false;
    memcpy(&header, bytes, sizeof(header));
    ranges_bytes = (uint64_t)header.range_count * sizeof(struct file_range);
    frames_bytes = (uint64_t)header.frame_count * sizeof(struct file_frame);
    if (header.magic != MAGIC || header.identity != identity || !header.range_count || !header.frame_count ||
        !header.blob_bytes || len - sizeof(header) != ranges_bytes + frames_bytes + header.blob_bytes ||
        at[ranges_bytes + frames_bytes + header.blob_bytes - 1] != '\0' ||
        crc32(0, at, (uInt)(len - sizeof(header))) != header.crc)
        return false;
    answers->blob = xmalloc(header.blob_bytes);
    memcpy(answers->blob, at + ranges_bytes + frames_bytes, header.blob_bytes);
    if (parse_ranges(at, &header, answers) && parse_frames(at + ranges_bytes, &header, answers))
        return true;
    answers_release(answers);
    return false;
}

/* The whole of FD, a file of this user's; NULL when it is not one or too large. */
static unsigned char *read_own_file(int fd, size_t *len)
{
    unsigned char *bytes;
    struct stat st;
    size_t got = 0;
    ssize_t n = 1;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) ||
        st.st_size > CACHE_MAX_FILE_BYTES)
        return NULL;
    bytes = xmalloc((size_t)st.st_size + 1);
    while (got < (size_t)st.st_size && (n = read(fd, bytes + got, (size_t)st.st_size - got)) > 0)
        got += (size_t)n;
    *len = got;
    return bytes;
}

bool cache_read(const char *dir, const char *name, uint64_t identity, struct answers *answers)
{
    char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    unsigned char *bytes = NULL;
    bool ok = false;
    size_t len;

    *answers = (struct answers){0};
    free(path);
    if (fd < 0)
        return false;
    bytes = read_own_file(fd, &len);
    ok = bytes && cache_parse(bytes, len, identity, answers);
    if (ok)
        futimens(fd, (const struct timespec[2]){{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}});
    free(bytes);
    close(fd);
    return ok;
}

/* Where the ranges of two sets come together: the newer set goes first among those that overlap. */
struct merge_entry {
    const struct answers *from;
    const struct answer_range *range;
    uint32_t age;
};

static int compare_entries(const void *a, const void *b)
{
    const struct merge_entry *x = a, *y = b;

    if (x->range->lo != y->range->lo)
        return x->range->lo < y->range->lo ? -1 : 1;
    return x->age < y->age ? -1 : x->age > y->age;
}

static size_t gather(struct merge_entry *entries, const struct answers *from, uint32_t age)
{
    for (size_t i = 0; i < from->range_count; i++)
        entries[i] = (struct merge_entry){from, &from->ranges[i], age};
    return from->range_count;
}

struct writer {
    struct strings texts;
    uint32_t *offsets; /* of each text in the blob */
    size_t offset_cap, offset_count;
    uint64_t blob_bytes;
    struct file_range *ranges;
    size_t range_count;
    struct file_frame *frames;
    size_t frame_count, frame_cap;
};

static uint32_t text_offset(struct writer *writer, const char *text)
{
    string_id id = strings_add_str(&writer->texts, text);

    if (id >= writer->offset_count) {
        GROW(writer->offsets, id + 1, writer->offset_cap);
        writer->offset_count = id + 1;
        writer->offsets[id] = (uint32_t)writer->blob_bytes;
        writer->blob_bytes += strings_len(&writer->texts, id) + 1;
    }
    return writer->offsets[id];
}

static void write_range(struct writer *writer, const struct answers *from, const struct answer_range *range)
{
    writer->ranges[writer->range_count++] =
        (struct file_range){range->lo, range->hi, (uint32_t)writer->frame_count, range->count};
    GROW(writer->frames, writer->frame_count + range->count, writer->frame_cap);
    for (uint32_t i = 0; i < range->count; i++) {
        const struct symbol_frame *frame = &from->frames[range->first + i];

        writer->frames[writer->frame_count++] =
            (struct file_frame){.name = text_offset(writer, frame->name),
                                .linkage = text_offset(writer, frame->linkage),
                                .file = text_offset(writer, frame->file),
                                .line = frame->line,
                                .flags = (uint32_t)frame->language << 1 | frame->inlined};
    }
}

static void merge(struct writer *writer, const struct answers *added, const struct answers *kept)
{
    struct merge_entry *entries = xcalloc(added->range_count + kept->range_count, sizeof(*entries));
    size_t count = gather(entries, added, 0);
    uint64_t last_hi = 0;

    count += gather(entries + count, kept, 1);
    qsort(entries, count, sizeof(*entries), compare_entries);
    writer->ranges = xcalloc(count, sizeof(*writer->ranges));
    for (size_t i = 0; i < count && writer->range_count < CACHE_MAX_RANGES; i++) {
        if (entries[i].range->lo < last_hi || entries[i].range->hi <= entries[i].range->lo || !entries[i].range->count)
            continue;
        last_hi = entries[i].range->hi;
        write_range(writer, entries[i].from, entries[i].range);
    }
    free(entries);
}

/* Removes temporary files that a killed run left, and the files unused longest while DIR is over its bound. */
struct dir_file {
    char name[NAME_MAX + 1];
    uint64_t bytes;
    time_t used;
};

static int compare_use(const void *a, const void *b)
{
    const struct dir_file *x = a, *y = b;

    return x->used < y->used ? -1 : x->used > y->used;
}

static void prune(const char *dir)
{
    struct dir_file *files = NULL;
    size_t count = 0, cap = 0;
    uint64_t total = 0;
    time_t now = time(NULL);
    DIR *stream = opendir(dir);
    struct dirent *entry;

    while (stream && (entry = readdir(stream))) {
        struct stat st;

        if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        if (strstr(entry->d_name, ".tmp.") && st.st_mtime < now - STALE_TEMPORARY_SEC) {
            unlinkat(dirfd(stream), entry->d_name, 0);
            continue;
        }
        GROW(files, count + 1, cap);
        memcpy(files[count].name, entry->d_name, strlen(entry->d_name) + 1);
        files[count].bytes = (uint64_t)st.st_size;
        files[count++].used = st.st_mtime;
        total += (uint64_t)st.st_size;
    }
    if (total > LARGEST_DIRECTORY_BYTES) {
        qsort(files, count, sizeof(*files), compare_use);
        for (size_t i = 0; i < count && total > LARGEST_DIRECTORY_BYTES; i++)
            if (!unlinkat(dirfd(stream), files[i].name, 0))
                total -= files[i].bytes;
    }
    free(files);
    if (stream)
        closedir(stream);
}

static char *blob_of(const struct writer *writer)
{
    char *blob = xmalloc(writer->blob_bytes + 1);
    size_t at = 0;

    for (string_id id = 0; id < writer->offset_count; id++) {
        size_t len = strings_len(&writer->texts, id) + 1;

        memcpy(blob + at, strings_get(&writer->texts, id), len);
        at += len;
    }
    return blob;
}

/* Header and sections in one piece, so that one write() does. */
static unsigned char *serialise(const struct writer *writer, uint64_t identity, size_t *len)
{
    size_t ranges_bytes = writer->range_count * sizeof(*writer->ranges);
    size_t frames_bytes = writer->frame_count * sizeof(*writer->frames);
    struct file_header header = {.magic = MAGIC,
                                 .identity = identity,
                                 .range_count = (uint32_t)writer->range_count,
                                 .frame_count = (uint32_t)writer->frame_count,
                                 .blob_bytes = (uint32_t)writer->blob_bytes};
    unsigned char *bytes;
    char *blob = blob_of(writer);

    *len = sizeof(header) + ranges_bytes + frames_bytes + writer->blob_bytes;
    bytes = xmalloc(*len);
    memcpy(bytes + sizeof(header), writer->ranges, ranges_bytes);
    memcpy(bytes + sizeof(header) + ranges_bytes, writer->frames, frames_bytes);
    memcpy(bytes + sizeof(header) + ranges_bytes + frames_bytes, blob, writer->blob_bytes);
    header.crc = (uint32_t)crc32(0, bytes + sizeof(header), (uInt)(*len - sizeof(header)));
    memcpy(bytes, &header, sizeof(header));
    free(blob);
    return bytes;
}

static int replace_file(const char *dir, const char *name, const unsigned char *bytes, size_t len)
{
    char *path = xasprintf("%s/%s", dir, name), *temporary = xasprintf("%s/%s.tmp.XXXXXX", dir, name);
    int fd = mkostemp(temporary, O_CLOEXEC), rc = fd < 0 ? -errno : 0;
    size_t done = 0;
    ssize_t n;

    while (!rc && done < len) {
        n = write(fd, bytes + done, len - done);
        if (n < 0)
            rc = -errno;
        else
            done += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    if (!rc && rename(temporary, path))
        rc = -errno;
    if (rc && fd >= 0)
        unlink(temporary);
    free(path);
    free(temporary);
    return rc;
}

int cache_write(const char *dir, const char *name, uint64_t identity, const struct answers *added)
{
    struct writer writer = {0};
    unsigned char *bytes = NULL;
    struct answers kept;
    size_t len;
    int rc = 0;

    strings_init(&writer.texts);
    text_offset(&writer, "");
    cache_read(dir, name, identity, &kept);
    merge(&writer, added, &kept);
    if (writer.range_count && writer.blob_bytes < CACHE_MAX_FILE_BYTES / 2) {
        bytes = serialise(&writer, identity, &len);
        rc = len <= CACHE_MAX_FILE_BYTES ? replace_file(dir, name, bytes, len) : -EFBIG;
        prune(dir);
    }
    free(bytes);
    answers_release(&kept);
    strings_release(&writer.texts);
    free(writer.offsets);
    free(writer.ranges);
    free(writer.frames);
    return rc;
}

/* Under sudo HOME may be another user's, whose cache must not get files of root's. */
static bool is_ours(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

char *cache_default_dir(void)
{
    const char *home = getenv("HOME");
    char *dir = home && !is_ours(home) ? NULL : cache_dir_path("symbols/");

    if (dir && !is_ours(dir)) {
        free(dir);
        dir = NULL;
    }
    return dir;
}
