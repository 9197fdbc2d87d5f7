/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/channel/channel.h"
#include "collect/channel/reader.h"
#include "collect/modules/maps.h"
#include "collect/process/sampler.h"
#include "session/session.h"

/*
 * From the reader's model of each process image into the session: processes and threads, call-tree nodes, rows, levels,
 * and the records of others. Belongs to the loop's thread, which holds the channel's lock while the reader is looked
 * at.
 */
enum { CARRY_SINKS = 4, CARRY_FRAMES = 1 << 12 };

struct carry_frame {
    uint64_t image, address;
    uint32_t module, frame;
    bool known;
};

struct carry_sink {
    unsigned first, last;
    channel_record_fn fn;
    void *ctx;
};

struct carry {
    struct session *session;
    struct sampler *sampler;
    struct reader *reader;
    struct maps maps;
    struct carry_sink sinks[CARRY_SINKS];
    size_t sink_count;
    const struct image *current; /* of the record that a sink is given */
    uint64_t level_ns;           /* up to here levels are in the session */
    struct carry_frame *frames;  /* CARRY_FRAMES, found by address: many nodes have few of them */
};

/* SESSION, SAMPLER and READER must outlive it. */
void carry_init(struct carry *c, struct session *session, struct sampler *sampler, struct reader *reader);
void carry_release(struct carry *c);

/* See channel_on_record(). */
void carry_on_record(struct carry *c, unsigned first, unsigned last, channel_record_fn fn, void *ctx);

/* Takes over everything that the reader has. */
void carry_over(struct carry *c);

/*
 * The session's node of NODE of IMAGE. Ancestors come first; a node whose definition has not come yet is called unknown
 * for now and asked for again next time.
 */
int32_t carry_node(struct carry *c, struct image *image, uint32_t node);
/* The same of the image whose record a sink is given now. */
int32_t carry_current_node(struct carry *c, uint32_t node);

/* When TICK began: ticks are CLOCK_MONOTONIC / 10 ms modulo 2^32. */
uint64_t carry_tick_ns(uint32_t tick);
