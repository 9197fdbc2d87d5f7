/* SPDX-License-Identifier: MIT */
#include "collect/stacks/stack_memory.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cache_dir.h"
#include "collect/stacks/perf_events.h"

enum { BUILD_ID_MAX = 64 };

/* Opens PROGRAM as execvp would find it. */
static int open_program(const char *program)
{
    const char *path = getenv("PATH");
    int fd = -1;

    if (strchr(program, '/') || !path)
        return open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && *path) {
        size_t len = strcspn(path, ":");
        char *full = xasprintf("%.*s/%s", (int)len, path, program);

        if (access(full, X_OK) == 0)
            fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        free(full);
        path += len + (path[len] == ':');
    }
    return fd;
}

/* The file that remembers PROGRAM's size; NULL when it is not a program of its own or there is no cache. */
static char *memory_path(const char *program)
{
    char name[64 + 2 * BUILD_ID_MAX] = "stack-bytes/";
    const void *build_id = NULL;
    ssize_t len = 0;
    char *path = NULL;
    struct stat st;
    Elf *elf;
    int fd;

    if (!program)
        return NULL;
    fd = open_program(program);
    if (fd < 0)
        return NULL;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        len = dwelf_elf_gnu_build_id(elf, &build_id);
    if (len > 0 && len <= BUILD_ID_MAX) {
        size_t at = strlen(name);

        for (ssize_t i = 0; i < len; i++, at += 2)
            snprintf(name + at, sizeof(name) - at, "%02x", ((const uint8_t *)build_id)[i]);
        path = cache_dir_path(name);
    } else if (elf && elf_kind(elf) == ELF_K_ELF && fstat(fd, &st) == 0) {
        /* Linked without a build-id: the file itself, as it is now. */
        snprintf(name + strlen(name), sizeof(name) - strlen(name), "file-%llx-%llx-%llx", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino, (unsigned long long)st.st_mtim.tv_sec);
        path = cache_dir_path(name);
    }
    elf_end(elf);
    close(fd);
    return path;
}

uint32_t stack_memory_recall(const char *program, uint32_t fallback_bytes)
{
    char *path = memory_path(program);
    FILE *f = path ? fopen(path, "re") : NULL;
    unsigned bytes = 0;

    if (f) {
        if (fscanf(f, "%u", &bytes) != 1 || bytes < fallback_bytes || bytes > PERF_STACK_MAX_BYTES)
            bytes = 0;
        fclose(f);
    }
    free(path);
    return bytes ? bytes : fallback_bytes;
}

void stack_memory_remember(const char *program, uint32_t used_bytes, uint64_t short_dumps, uint64_t samples)
{
    uint64_t wanted = (uint64_t)used_bytes * 2;
    char *path;
    FILE *f;

    /* One in a thousand: well below what must reach the root. */
    if (short_dumps * 1000 <= samples || used_bytes >= PERF_STACK_MAX_BYTES)
        return;
    path = memory_path(program);
    f = path ? fopen(path, "we") : NULL;
    if (f) {
        fprintf(f, "%u\n", wanted > PERF_STACK_MAX_BYTES ? PERF_STACK_MAX_BYTES : (unsigned)wanted);
        fclose(f);
    }
    free(path);
}
