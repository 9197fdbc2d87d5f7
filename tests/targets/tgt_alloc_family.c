/* SPDX-License-Identifier: MIT */

/*
 * Every function of the malloc family, edge cases included. Prints what a program can see of each call (NULL or not,
 * errno, alignment, contents): with and without the shim the output must be the same, byte by byte.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Called through pointers, so that the compiler does not reason about them. */
static void *(*volatile call_realloc)(void *, size_t) = realloc;
static void *(*volatile call_reallocarray)(void *, size_t, size_t) = reallocarray;
static volatile size_t zero, huge = SIZE_MAX - 100, half = SIZE_MAX / 2 + 1;

static void tell(const char *what, const void *block, size_t alignment)
{
    printf("%s: %s errno %d aligned %d\n", what, block ? "block" : "NULL", errno,
           !block || (uintptr_t)block % alignment == 0);
    errno = 0;
}

int main(void)
{
    char *p, *q;
    void *out = (void *)0x1;
    int rc;

    setvbuf(stdout, NULL, _IONBF, 0);
    errno = 0;
    tell("malloc(0)", p = malloc(zero), 16);
    free(p);
    tell("malloc(huge)", malloc(huge), 1);
    tell("calloc(3, 5)", p = calloc(3, 5), 16);
    printf("zeroed %d\n", !memcmp(p, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15));
    free(p);
    tell("calloc overflow", calloc(half, 2 + zero), 1);
    tell("calloc(0, 5)", p = calloc(zero, 5), 16);
    free(p);
    tell("realloc(NULL, 10)", p = call_realloc(NULL, 10), 16);
    strcpy(p, "nine char");
    tell("realloc grow", p = call_realloc(p, 100000), 16);
    printf("kept %s\n", p);
    tell("realloc shrink", p = call_realloc(p, 10), 16);
    printf("kept %s\n", p);
    tell("realloc huge", q = call_realloc(p, huge), 1);
    printf("still %s\n", p);
    tell("realloc(p, 0)", call_realloc(p, zero), 1);
    tell("reallocarray", p = call_reallocarray(NULL, 10, 10), 16);
    tell("reallocarray overflow", call_reallocarray(p, half, 2 + zero), 1);
    free(p);
    free(NULL);
    errno = 5;
    free(NULL);
    printf("free keeps errno %d\n", errno);
    errno = 0;
    rc = posix_memalign(&out, 64, 100);
    printf("posix_memalign %d aligned %d errno %d\n", rc, (uintptr_t)out % 64 == 0, errno);
    free(out);
    out = (void *)0x1;
    rc = posix_memalign(&out, 3 + zero, 100);
    printf("posix_memalign(3) %d out %p errno %d\n", rc, out, errno);
    rc = posix_memalign(&out, 64, huge);
    printf("posix_memalign(huge) %d out %p errno %d\n", rc, out, errno);
    errno = 0;
    tell("aligned_alloc", p = aligned_alloc(256, 512), 256);
    free(p);
    tell("memalign", p = memalign(128, 300001), 128);
    free(p);
    tell("memalign(huge)", memalign(128, huge), 1);
    tell("valloc", p = valloc(10), (size_t)sysconf(_SC_PAGESIZE));
    free(p);
    tell("pvalloc", p = pvalloc(10), (size_t)sysconf(_SC_PAGESIZE));
    printf("usable %d\n", malloc_usable_size(p) >= (size_t)sysconf(_SC_PAGESIZE));
    free(p);
    printf("usable(NULL) %zu\n", malloc_usable_size(NULL));
    p = strdup("strdup");
    printf("%s\n", p);
    free(p);
    tell("mmap", p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
    printf("munmap %d\n", munmap(p + (4 << 20), 4 << 20));
    tell("mremap", p = mremap(p, 4 << 20, 6 << 20, MREMAP_MAYMOVE), 4096);
    printf("munmap %d errno %d\n", munmap(p + 1, 4096), errno);
    errno = 0;
    printf("mmap fails %d errno %d\n", mmap(NULL, zero, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
           errno);
    p = sbrk(0);
    printf("sbrk %d\n", (char *)sbrk(4096) == p);
    return 0;
}
