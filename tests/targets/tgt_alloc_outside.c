/* SPDX-License-Identifier: MIT */

/*
 * Memory that malloc never sees: 8 MiB mapped, grown to 16 MiB, 1 MiB of brk: 17 MiB at once. Then 12 MiB of the
 * mapping go, in the middle: 5 MiB are left. A mapping of a file is nobody's growth. malloc itself takes 40 MB, in
 * blocks of 4,000 bytes, and gives them back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20, BLOCKS = 10000 };

static void *blocks[BLOCKS];

static __attribute__((noinline)) void take(void)
{
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = memset(malloc(4000), 1, 4000);
}

int main(int argc, char **argv)
{
    int file = open(argv[0], O_RDONLY);
    char *map, *self = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);

    (void)argc;
    map = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || self == MAP_FAILED)
        return 1;
    map = mremap(map, 8 * MIB, 16 * MIB, MREMAP_MAYMOVE);
    if (map == MAP_FAILED || sbrk(MIB) == (void *)-1)
        return 2;
    take();
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return munmap(map + 2 * MIB, 12 * MIB) || munmap(self, 4096);
}
