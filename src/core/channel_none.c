/* SPDX-License-Identifier: MIT */
#include "core/channel.h"

/* No channel on this system: every process runs as if it had no CLI. */

static _Atomic uint32_t no_tick;
_Atomic uint32_t *rs_channel_tick = &no_tick;
_Atomic uint32_t rs_channel_stale;
_Atomic bool rs_channel_no_syscalls;

struct rs_channel *rs_channel_get(enum rs_source source)
{
    (void)source;
    return NULL;
}

uint32_t rs_channel_new_thread(struct rs_channel *channel)
{
    (void)channel;
    return 0;
}

void rs_channel_check(struct rs_channel *channel)
{
    (void)channel;
}

void *rs_channel_memory(size_t len)
{
    (void)len;
    return NULL;
}

void rs_channel_memory_release(void *memory, size_t len)
{
    (void)memory, (void)len;
}

void *rs_channel_take_page(struct rs_channel *channel)
{
    (void)channel;
    return NULL;
}

void rs_channel_give_page(struct rs_channel *channel, void *page)
{
    (void)channel, (void)page;
}

void rs_stream_open(struct rs_stream *s, struct rs_channel *channel, enum rs_source source, uint32_t thread,
                    uint32_t tid)
{
    (void)s, (void)channel, (void)source, (void)thread, (void)tid;
}

void *rs_stream_reserve(struct rs_stream *s, uint32_t bytes, bool definition)
{
    (void)s, (void)bytes, (void)definition;
    return NULL;
}

void rs_stream_commit(struct rs_stream *s)
{
    (void)s;
}

void rs_stream_flush(struct rs_stream *s)
{
    (void)s;
}

void rs_stream_close(struct rs_stream *s)
{
    (void)s;
}

bool rs_stream_next_frame(struct rs_stream *s, bool definition)
{
    (void)s, (void)definition;
    return false;
}
