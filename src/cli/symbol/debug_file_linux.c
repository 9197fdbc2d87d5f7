/* SPDX-License-Identifier: MIT */
#include "symbol/debug_file.h"

#include <dlfcn.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"

static const size_t LARGEST_DEBUG_DATA_BYTES = (size_t)64 << 20;
static const uint64_t XZ_MEMORY_BYTES = (uint64_t)256 << 20;

bool elf_file_open(struct elf_file *file, int fd, const char *path)
{
    *file = (struct elf_file){.fd = fd};
    if (fd < 0)
        return false;
    file->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (!file->elf || elf_kind(file->elf) != ELF_K_ELF) {
        elf_file_close(file);
        return false;
    }
    file->path = xstrdup(path);
    return true;
}

void elf_file_close(struct elf_file *file)
{
    if (file->elf)
        elf_end(file->elf);
    if (file->fd >= 0)
        close(file->fd);
    free(file->text);
    free(file->path);
    *file = (struct elf_file){.fd = -1};
}

static size_t hex(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
    return len * 2;
}

void elf_build_id(Elf *elf, char *out)
{
    const void *id;
    ssize_t len = dwelf_elf_gnu_build_id(elf, &id);

    *out = '\0';
    if (len > 0 && (size_t)len * 2 < ELF_BUILD_ID_MAX)
        hex(id, (size_t)len, out);
}

static Elf_Scn *section_named(Elf *elf, const char *wanted, GElf_Shdr *shdr)
{
    Elf_Scn *scn = NULL;
    size_t names;

    if (elf_getshdrstrndx(elf, &names))
        return NULL;
    while ((scn = elf_nextscn(elf, scn))) {
        const char *name = gelf_getshdr(scn, shdr) ? elf_strptr(elf, names, shdr->sh_name) : NULL;

        if (name && !strcmp(name, wanted) && shdr->sh_type != SHT_NOBITS)
            return scn;
    }
    return NULL;
}

bool elf_has_section(Elf *elf, const char *name)
{
    GElf_Shdr shdr;

    return section_named(elf, name, &shdr) != NULL;
}

bool elf_has_section_type(Elf *elf, unsigned type)
{
    Elf_Scn *scn = NULL;
    GElf_Shdr shdr;

    while ((scn = elf_nextscn(elf, scn)))
        if (gelf_getshdr(scn, &shdr) && shdr.sh_type == type && shdr.sh_size)
            return true;
    return false;
}

/* Asked of the smallest section, since it is decompressed for it where that is possible. */
bool elf_is_compressed_beyond_us(Elf *elf)
{
    Elf_Scn *scn = NULL, *smallest = NULL;
    uint64_t least = UINT64_MAX;
    GElf_Shdr shdr;
    GElf_Chdr chdr;

    while ((scn = elf_nextscn(elf, scn)))
        if (gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_COMPRESSED) && gelf_getchdr(scn, &chdr) &&
            chdr.ch_type != ELFCOMPRESS_ZLIB && chdr.ch_size < least) {
            least = chdr.ch_size;
            smallest = scn;
        }
    return smallest && elf_compress(smallest, 0, 0) < 0;
}

static int open_path(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool crc_matches(int fd, uint32_t wanted)
{
    unsigned char buf[64 * 1024];
    uLong crc = crc32(0, NULL, 0);
    ssize_t got;
    off_t at = 0;

    for (; (got = pread(fd, buf, sizeof(buf), at)) > 0; at += got)
        crc = crc32(crc, buf, (uInt)got);
    return got == 0 && (uint32_t)crc == wanted;
}

/* What a debug file must agree with. */
struct wanted {
    char build_id[ELF_BUILD_ID_MAX]; /* "" : go by the CRC */
    GElf_Word crc;
};

static bool try_file(struct elf_file *found, const char *path, const struct wanted *wanted)
{
    char build_id[ELF_BUILD_ID_MAX];

    if (!elf_file_open(found, open_path(path), path))
        return false;
    elf_build_id(found->elf, build_id);
    if (wanted->build_id[0] ? !strcmp(build_id, wanted->build_id) : crc_matches(found->fd, wanted->crc))
        return true;
    elf_file_close(found);
    return false;
}

static bool try_pathf(struct elf_file *found, const struct wanted *wanted, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool try_pathf(struct elf_file *found, const struct wanted *wanted, const char *format, ...)
{
    char path[4096];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    return len > 0 && (size_t)len < sizeof(path) && try_file(found, path, wanted);
}

static bool find_by_link(struct elf_file *found, Elf *module, struct wanted *wanted, const struct debug_search *search)
{
    const char *link = dwelf_elf_gnu_debuglink(module, &wanted->crc);
    const char *slash = strrchr(search->module_path, '/');
    int dir_len = slash ? (int)(slash - search->module_path) : 0;
    const char *dir = search->module_path;

    if (!link || !link[0] || strchr(link, '/') || !slash)
        return false;
    return try_pathf(found, wanted, "%.*s/%s", dir_len, dir, link) ||
           try_pathf(found, wanted, "%.*s/.debug/%s", dir_len, dir, link) ||
           try_pathf(found, wanted, "%s%.*s/%s", search->debug_root, dir_len, dir, link);
}

struct debuginfod_client;

/* The one entry of libdebuginfod that its progress callback needs: non-zero ends the download. */
static const volatile sig_atomic_t *download_stop;
static int download_progress(struct debuginfod_client *client, long got, long of)
{
    (void)client;
    (void)got;
    (void)of;
    return download_stop && *download_stop;
}

/* A server that does not answer is asked once, not for every module. */
static bool servers_unreachable;

/* libdebuginfod is loaded only here, so that nobody who did not ask for it carries an HTTP client. */
static bool find_by_debuginfod(struct elf_file *found, const struct wanted *wanted, const struct debug_search *search)
{
    const char *urls = getenv("DEBUGINFOD_URLS");
    bool wanted_at_all = urls && urls[0] && !servers_unreachable;
    void *library = wanted_at_all ? dlopen("libdebuginfod.so.1", RTLD_LAZY | RTLD_LOCAL) : NULL;
    struct debuginfod_client *(*begin)(void), *client;
    int (*find)(struct debuginfod_client *, const unsigned char *, int, char **);
    void (*set_progress)(struct debuginfod_client *, int (*)(struct debuginfod_client *, long, long));
    void (*end)(struct debuginfod_client *);
    int fd = -1;

    if (!library)
        return false;
    *(void **)&begin = dlsym(library, "debuginfod_begin");
    *(void **)&find = dlsym(library, "debuginfod_find_debuginfo");
    *(void **)&set_progress = dlsym(library, "debuginfod_set_progressfn");
    *(void **)&end = dlsym(library, "debuginfod_end");
    client = begin && find && set_progress && end ? begin() : NULL;
    if (client) {
        setenv("DEBUGINFOD_TIMEOUT", "10", 0); /* its own default is 90 s without a byte */
        download_stop = search->stop;
        set_progress(client, download_progress);
        /* A length of 0 says that the id is hex text. */
        fd = find(client, (const unsigned char *)wanted->build_id, 0, NULL);
        end(client);
        servers_unreachable = fd < 0 && fd != -ENOENT;
    }
    /* Never unloaded: it initialises libcurl once for the process. */
    return elf_file_open(found, fd, "debuginfod");
}

bool debug_file_find(struct elf_file *found, Elf *module, const struct debug_search *search)
{
    struct wanted wanted = {.crc = 0};

    *found = (struct elf_file){.fd = -1};
    elf_build_id(module, wanted.build_id);
    if (strlen(wanted.build_id) > 2 && try_pathf(found, &wanted, "%s/.build-id/%.2s/%s.debug", search->debug_root,
                                                 wanted.build_id, wanted.build_id + 2))
        return true;
    if (find_by_link(found, module, &wanted, search))
        return true;
    return search->debuginfod && wanted.build_id[0] && find_by_debuginfod(found, &wanted, search);
}

/* Decompresses the xz stream of LEN bytes; NULL when it is broken or too large. */
static void *unxz(const void *bytes, size_t len, size_t *out_len)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    unsigned char *out = NULL;
    size_t cap = 0;
    lzma_ret status = lzma_stream_decoder(&stream, XZ_MEMORY_BYTES, 0);

    stream.next_in = bytes;
    stream.avail_in = len;
    while (status == LZMA_OK && cap < LARGEST_DEBUG_DATA_BYTES) {
        size_t done = cap - stream.avail_out;

        cap = cap ? cap * 2 : 256 * 1024;
        out = xrealloc(out, cap);
        stream.next_out = out + done;
        stream.avail_out = cap - done;
        status = lzma_code(&stream, LZMA_FINISH);
    }
    *out_len = cap - stream.avail_out;
    lzma_end(&stream);
    if (status != LZMA_STREAM_END) {
        free(out);
        return NULL;
    }
    return out;
}

bool debug_data_open(struct elf_file *found, Elf *module)
{
    GElf_Shdr shdr;
    Elf_Scn *scn = section_named(module, ".gnu_debugdata", &shdr);
    Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
    size_t len;

    *found = (struct elf_file){.fd = -1};
    if (!data || !data->d_buf)
        return false;
    found->text = unxz(data->d_buf, data->d_size, &len);
    if (!found->text)
        return false;
    found->elf = elf_memory(found->text, len);
    if (!found->elf || elf_kind(found->elf) != ELF_K_ELF) {
        elf_file_close(found);
        return false;
    }
    return true;
}
