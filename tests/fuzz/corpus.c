/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over the files of a folder, and over mutations of each that are the same every time: truncations,
 * flipped bits, repeated and swapped pieces. So that every fuzz target is a test, without a fuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTATIONS = 400, TRUNCATIONS = 100 };

static uint64_t seed = 88172645463325252ull;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* of its very size, so that a sanitizer sees the first byte beyond */

    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void mutate(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    for (size_t i = 0; i < TRUNCATIONS; i++)
        run(data, size * i / TRUNCATIONS);
    for (int i = 0; i < MUTATIONS && size; i++) {
        memcpy(copy, data, size);
        for (uint64_t n = 1 + next_random() % 4; n; n--) {
            size_t at = next_random() % size, from = next_random() % size;
            size_t len = next_random() % 16;

            if (next_random() % 2)
                copy[at] ^= (uint8_t)(1u << next_random() % 8);
            else if (at + len <= size && from + len <= size)
                memmove(copy + at, data + from, len);
        }
        run(copy, size);
    }
    free(copy);
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long size;

    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0)
        return -1;
    rewind(file);
    data = malloc((size_t)size + 1);
    size = (long)fread(data, 1, (size_t)size, file);
    fclose(file);
    run(data, (size_t)size);
    mutate(data, (size_t)size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int files = 0;

    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(dir))) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] != '.')
            files += !run_file(path);
    }
    closedir(dir);
    printf("%d files, %d inputs each\n", files, 1 + MUTATIONS + TRUNCATIONS);
    return files ? 0 : 1;
}
