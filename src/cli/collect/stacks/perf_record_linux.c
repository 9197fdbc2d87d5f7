/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_record.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

/* Constants of kernels newer than the oldest headers that we build with. */
enum {
    MISC_MMAP_BUILD_ID = 1 << 14,
    MISC_COMM_EXEC = 1 << 13,
    MISC_SWITCH_OUT = 1 << 13,
    MISC_SWITCH_PREEMPT = 1 << 14
};

/* What is left of a record. Reading beyond its end gives zeros and sets `bad`, so that decoders stay straight lines. */
struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static size_t left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

static const void *take(struct cursor *c, uint64_t len)
{
    const uint8_t *at = c->at;

    if (len > left(c)) {
        c->bad = true;
        c->at = c->end;
        return NULL;
    }
    c->at += len;
    return at;
}

static uint64_t take_u64(struct cursor *c)
{
    const void *at = take(c, 8);
    uint64_t value = 0;

    if (at)
        memcpy(&value, at, 8);
    return value;
}

static void take_u32_pair(struct cursor *c, uint32_t *first, uint32_t *second)
{
    uint64_t both = take_u64(c);
    uint32_t halves[2];

    memcpy(halves, &both, 8);
    *first = halves[0];
    *second = halves[1];
}

/* A NUL-terminated string that fills the rest. */
static const char *take_text(struct cursor *c)
{
    size_t len = left(c);
    const char *text = take(c, len);

    if (!len || !memchr(text, '\0', len)) {
        c->bad = true;
        return "";
    }
    return text;
}

/*
 * Every record but a sample ends with what sample_id_all promises: {pid, tid}, time, id, stream_id, {cpu, res},
 * identifier, as far as sample_type names them. Cuts it off the body.
 */
static void parse_trailer(const struct perf_layout *layout, struct cursor *c, struct perf_record *rec)
{
    const uint64_t fields[] = {PERF_SAMPLE_TID,       PERF_SAMPLE_TIME, PERF_SAMPLE_ID,
                               PERF_SAMPLE_STREAM_ID, PERF_SAMPLE_CPU,  PERF_SAMPLE_IDENTIFIER};
    struct cursor trailer = *c;
    size_t bytes = 0;
    uint32_t unused;

    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        bytes += layout->sample_type & fields[i] ? 8 : 0;
    if (bytes > left(c)) {
        c->bad = true;
        return;
    }
    trailer.at = c->end - bytes;
    c->end = trailer.at;
    if (layout->sample_type & PERF_SAMPLE_TID)
        take_u32_pair(&trailer, &rec->pid, &rec->tid);
    if (layout->sample_type & PERF_SAMPLE_TIME)
        rec->time_ns = take_u64(&trailer);
    if (layout->sample_type & PERF_SAMPLE_ID)
        rec->event_id = take_u64(&trailer);
    if (layout->sample_type & PERF_SAMPLE_STREAM_ID)
        take_u64(&trailer);
    if (layout->sample_type & PERF_SAMPLE_CPU)
        take_u32_pair(&trailer, &rec->cpu, &unused);
    if (layout->sample_type & PERF_SAMPLE_IDENTIFIER)
        rec->event_id = take_u64(&trailer);
}

static void parse_stack(struct cursor *c, struct perf_record *rec)
{
    uint64_t asked = take_u64(c), valid;

    if (!asked) /* no user stack: no bytes and no second size */
        return;
    rec->sample.stack = take(c, asked);
    valid = take_u64(c);
    if (c->bad || valid > asked) {
        c->bad = true;
        return;
    }
    rec->sample.stack_asked = asked;
    rec->sample.stack_bytes = valid;
}

static void parse_sample(const struct perf_layout *layout, struct cursor *c, struct perf_record *rec)
{
    uint64_t type = layout->sample_type;
    uint32_t unused;

    if (type & PERF_SAMPLE_IDENTIFIER)
        rec->event_id = take_u64(c);
    if (type & PERF_SAMPLE_IP)
        rec->sample.ip = take_u64(c);
    if (type & PERF_SAMPLE_TID)
        take_u32_pair(c, &rec->pid, &rec->tid);
    if (type & PERF_SAMPLE_TIME)
        rec->time_ns = take_u64(c);
    if (type & PERF_SAMPLE_ID)
        rec->event_id = take_u64(c);
    if (type & PERF_SAMPLE_STREAM_ID)
        take_u64(c);
    if (type & PERF_SAMPLE_CPU)
        take_u32_pair(c, &rec->cpu, &unused);
    if (type & PERF_SAMPLE_PERIOD)
        rec->sample.period = take_u64(c);
    if (type & PERF_SAMPLE_CALLCHAIN) {
        uint64_t count = take_u64(c);

        if (count > left(c) / 8) {
            c->bad = true;
            return;
        }
        rec->sample.chain = take(c, count * 8);
        rec->sample.chain_count = count;
    }
    if (type & PERF_SAMPLE_REGS_USER) {
        rec->sample.regs_abi = take_u64(c);
        if (rec->sample.regs_abi)
            rec->sample.regs = take(c, 8 * (uint64_t)__builtin_popcountll(layout->regs_mask));
    }
    if (type & PERF_SAMPLE_STACK_USER)
        parse_stack(c, rec);
}

static void parse_mmap2(uint16_t misc, struct cursor *c, struct perf_record *rec)
{
    uint32_t flags;

    take_u32_pair(c, &rec->pid, &rec->tid);
    rec->mmap.start = take_u64(c);
    rec->mmap.len = take_u64(c);
    rec->mmap.pgoff = take_u64(c);
    if (misc & MISC_MMAP_BUILD_ID) {
        const uint8_t *id = take(c, 24); /* size, three reserved bytes, twenty of the build-id */

        if (id && id[0] <= PERF_BUILD_ID_MAX) {
            rec->mmap.build_id_len = id[0];
            memcpy(rec->mmap.build_id, id + 4, PERF_BUILD_ID_MAX);
        } else {
            c->bad = true;
        }
    } else {
        take_u32_pair(c, &rec->mmap.major, &rec->mmap.minor);
        rec->mmap.inode = take_u64(c);
        take_u64(c); /* the inode's generation */
    }
    take_u32_pair(c, &rec->mmap.prot, &flags);
    rec->mmap.path = take_text(c);
    if (rec->mmap.start + rec->mmap.len < rec->mmap.start)
        c->bad = true;
}

static void parse_comm(uint16_t misc, struct cursor *c, struct perf_record *rec)
{
    take_u32_pair(c, &rec->pid, &rec->tid);
    rec->comm.name = take_text(c);
    rec->comm.exec = misc & MISC_COMM_EXEC;
}

/* FORK and EXIT. The task's own pid and tid replace those of the trailer, which names the task that did it. */
static void parse_task(struct cursor *c, struct perf_record *rec)
{
    take_u32_pair(c, &rec->pid, &rec->task.parent_pid);
    take_u32_pair(c, &rec->tid, &rec->task.parent_tid);
    take_u64(c); /* time: the trailer has it */
}

static enum perf_record_kind parse_body(const struct perf_layout *layout, const struct perf_event_header *header,
                                        struct cursor *c, struct perf_record *rec)
{
    if (header->type == PERF_RECORD_SAMPLE) {
        rec->sample.in_kernel = (header->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
        parse_sample(layout, c, rec);
        return PERF_REC_SAMPLE;
    }
    parse_trailer(layout, c, rec);
    switch (header->type) {
    case PERF_RECORD_MMAP2:
        parse_mmap2(header->misc, c, rec);
        return PERF_REC_MMAP;
    case PERF_RECORD_COMM:
        parse_comm(header->misc, c, rec);
        return PERF_REC_COMM;
    case PERF_RECORD_FORK:
        parse_task(c, rec);
        return PERF_REC_FORK;
    case PERF_RECORD_EXIT:
        parse_task(c, rec);
        return PERF_REC_EXIT;
    case PERF_RECORD_LOST:
        take_u64(c); /* the event's id */
        rec->lost.count = take_u64(c);
        return PERF_REC_LOST;
    case PERF_RECORD_LOST_SAMPLES:
        rec->lost.count = take_u64(c);
        return PERF_REC_LOST;
    case PERF_RECORD_THROTTLE:
    case PERF_RECORD_UNTHROTTLE:
        rec->throttle.on = header->type == PERF_RECORD_THROTTLE;
        return PERF_REC_THROTTLE;
    case PERF_RECORD_SWITCH:
        rec->cpu_switch.out = header->misc & MISC_SWITCH_OUT;
        rec->cpu_switch.preempted = header->misc & MISC_SWITCH_PREEMPT;
        return PERF_REC_SWITCH;
    default:
        return PERF_REC_OTHER;
    }
}

int perf_record_parse(const struct perf_layout *layout, const void *bytes, size_t len, struct perf_record *rec)
{
    struct perf_event_header header;
    struct cursor c;

    if (len < sizeof(header))
        return 0;
    memcpy(&header, bytes, sizeof(header));
    if (header.size < sizeof(header) || header.size % 8)
        return -EBADMSG;
    if (header.size > len)
        return 0;

    memset(rec, 0, sizeof(*rec));
    rec->size_bytes = header.size;
    c = (struct cursor){
        .at = (const uint8_t *)bytes + sizeof(header),
        .end = (const uint8_t *)bytes + header.size,
    };
    rec->kind = parse_body(layout, &header, &c, rec);
    /* A record that we do not use may be shaped as it likes; only its time is of use, and it may be missing. */
    if (c.bad && rec->kind != PERF_REC_OTHER)
        rec->kind = PERF_REC_BAD;
    return header.size;
}
