/* SPDX-License-Identifier: MIT */
/* Code without a file, as a JIT makes it: a frame-pointer function in anonymous memory calls back for 300 ms. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu_time.h"

NOINLINE void callback(void)
{
    burn_ms(300);
}

int main(void)
{
#if defined(__x86_64__)
    /* push rbp; mov rbp, rsp; call rdi; pop rbp; ret */
    static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
#else
    /* stp x29, x30, [sp, #-16]!; mov x29, sp; blr x0; ldp x29, x30, [sp], #16; ret */
    static const uint32_t code[] = {0xa9bf7bfd, 0x910003fd, 0xd63f0000, 0xa8c17bfd, 0xd65f03c0};
#endif
    uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return 1;
    memcpy(page, code, sizeof(code));
    __builtin___clear_cache((char *)page, (char *)page + sizeof(code));
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0)
        return 1;
    ((void (*)(void (*)(void)))(uintptr_t)page)(callback);
    return 0;
}
