/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the kernel writes into a perf ring, as structs: a pure function over bytes. It trusts nothing: every length is
 * checked against the record's own size, and a record that lies is PERF_REC_BAD and skipped by its size.
 *
 * All events that share a ring are opened with the same sample_type, so one perf_layout describes every record.
 */
enum perf_record_kind {
    PERF_REC_OTHER, /* a type that we do not know or do not need */
    PERF_REC_BAD,   /* its body does not fit its size */
    PERF_REC_SAMPLE,
    PERF_REC_MMAP,
    PERF_REC_COMM,
    PERF_REC_FORK,
    PERF_REC_EXIT,
    PERF_REC_LOST,
    PERF_REC_THROTTLE,
    PERF_REC_SWITCH,
};

struct perf_layout {
    uint64_t sample_type; /* PERF_SAMPLE_… */
    uint64_t regs_mask;   /* sample_regs_user */
};

enum { PERF_RECORD_MAX_BYTES = 65536, PERF_BUILD_ID_MAX = 20 };

/* Pointers lead into the parsed bytes. */
struct perf_record {
    enum perf_record_kind kind;
    uint32_t size_bytes;
    uint32_t pid, tid;
    uint32_t cpu;
    uint64_t time_ns;
    uint64_t event_id;
    union {
        struct {
            uint64_t ip;
            uint64_t period;
            const uint64_t *chain; /* ips and PERF_CONTEXT_… markers, innermost first */
            size_t chain_count;
            uint64_t regs_abi;    /* 0: the sample has no user registers (a kernel thread) */
            const uint64_t *regs; /* one for each bit of regs_mask, lowest first */
            const uint8_t *stack;
            size_t stack_bytes; /* of STACK that are valid */
            size_t stack_asked; /* what the event asked for: equal to stack_bytes when the dump may be cut off */
            bool only_sp_pc;    /* of the registers only these two are known; never so in a ring */
            bool in_kernel;     /* the CPU was in kernel mode */
        } sample;
        struct {
            uint64_t start, len, pgoff;
            uint64_t inode;        /* 0 with a build-id */
            uint32_t major, minor; /* of the device */
            uint32_t prot;         /* PROT_… */
            uint8_t build_id_len;
            uint8_t build_id[PERF_BUILD_ID_MAX];
            const char *path; /* NUL-terminated */
        } mmap;
        struct {
            const char *name;
            bool exec;
        } comm;
        struct {
            uint32_t parent_pid, parent_tid;
        } task;
        struct {
            uint64_t count;
        } lost;
        struct {
            bool on; /* false: unthrottled */
        } throttle;
        struct {
            bool out;
            bool preempted;
        } cpu_switch;
    };
};

/*
 * Reads the record at BYTES, which must be 8-byte aligned and hold at least 8 bytes. Returns its size (> 0, a
 * multiple of 8) with *REC filled, 0 when LEN bytes are not all of it, or -EBADMSG when the size itself is impossible,
 * so that nothing behind it can be found either.
 */
int perf_record_parse(const struct perf_layout *layout, const void *bytes, size_t len, struct perf_record *rec);
