/* SPDX-License-Identifier: MIT */

/*
 * Leaves a message for dlerror() behind before anything was freed: the next dlsym() of the thread frees it, and that may
 * be the one which looks free() up. Then 1,000 pairs of malloc and free; exits 0.
 */
#include <dlfcn.h>
#include <stdlib.h>

int main(void)
{
    if (dlsym(RTLD_DEFAULT, "rustscope_has_no_such_symbol"))
        return 1;
    for (int i = 0; i < 1000; i++) {
        void *volatile block = malloc(48);

        free(block);
    }
    return 0;
}
