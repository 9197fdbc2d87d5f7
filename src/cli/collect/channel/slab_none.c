/* SPDX-License-Identifier: MIT */
#include "collect/channel/slab.h"

#include <errno.h>

/* A system on which programs have no channel to us. */

int slab_open(struct slab *slab, size_t slab_bytes, uint32_t flags, const char *fifo_path, struct rs_err *err)
{
    (void)slab_bytes, (void)flags, (void)fifo_path;
    *slab = (struct slab){.fifo_fd = -1, .fd = -1};
    return rs_err_set(err, -ENOSYS, "recording from inside programs is not supported on this system");
}

void slab_close(struct slab *slab)
{
    (void)slab;
}

uint32_t slab_publish_tick(struct slab *slab, uint64_t now_ns)
{
    (void)slab;
    return (uint32_t)(now_ns / RS_TICK_NS);
}

void slab_grow(struct slab *slab, bool busy)
{
    (void)slab, (void)busy;
}

void slab_free_page(struct slab *slab, uint32_t page)
{
    (void)slab, (void)page;
}
