/* SPDX-License-Identifier: MIT */
/* The event loop of the CLI with a timer and nothing to do, for SECONDS at HZ: what sampling is measured against. */
#include <stdio.h>
#include <stdlib.h>

#include "system/loop.h"

static void tick(void *ctx, uint64_t expirations)
{
    (void)ctx, (void)expirations;
}

static void stop(void *ctx, uint64_t expirations)
{
    (void)expirations;
    loop_stop(ctx);
}

int main(int argc, char **argv)
{
    struct loop *loop;
    struct rs_err err;
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, hz = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;

    if (loop_new(&loop, &err)) {
        fprintf(stderr, "idle_loop: %s\n", err.text);
        return 1;
    }
    loop_add_timer(loop, 1000000000 / hz, 1000000000 / hz, tick, NULL);
    loop_add_timer(loop, seconds * 1000000000, 0, stop, loop);
    if (loop_run(loop, &err))
        fprintf(stderr, "idle_loop: %s\n", err.text);
    loop_free(loop);
    return 0;
}
