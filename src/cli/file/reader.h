/* SPDX-License-Identifier: MIT */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "file/scan.h"
#include "session/session.h"

/*
 * What the parts of the session's reader share. One pass notes where each section of the file is; then they are read in
 * an order in which everything that is referred to is there first. Columns go straight from the text into arrays;
 * single objects go through cJSON. Every index is checked against what it points into, so that nobody behind the reader
 * needs to.
 *
 * Functions that return an int return 0, or a negative errno with the sentence in the reader's `err`.
 */

enum { READER_MAX_SECTIONS = 64 };

struct session_reader {
    struct session *s;
    struct rs_err *err;
    struct {
        struct json_slice key, value;
    } sections[READER_MAX_SECTIONS];
    size_t section_count;
    string_id *names; /* the file's string ids to ours */
    size_t name_count;
    double start_ms;
};

/* Says that the part WHAT of the file is broken; -EINVAL. */
int reader_broken(struct session_reader *r, const char *what);
/* The section KEY; false when the file has none. */
bool reader_section(const struct session_reader *r, const char *key, struct json_slice *value);
/* TEXT of the file as a name of the session; 0 when it is not a string. */
string_id reader_text(struct session_reader *r, const cJSON *item);
/* Entry ID of the file's strings as a name of the session; 0 when it has none. */
string_id reader_name(const struct session_reader *r, int64_t id);

typedef int (*reader_object_fn)(struct session_reader *r, const cJSON *object);

/* Reads the section KEY, one object; absent is fine. */
int reader_object(struct session_reader *r, const char *key, reader_object_fn read);
/* Reads the section KEY, an array of objects, one at a time; absent is fine. */
int reader_objects(struct session_reader *r, const char *key, reader_object_fn read);
/* interval_ms of OBJECT, which is (a part of) SECTION. */
int reader_interval(struct session_reader *r, const char *section, struct json_slice object, uint64_t *interval_ns);

/* -- members of a single object; what is missing or out of range is the given value, 0 or NaN -- */

double item_number(const cJSON *object, const char *key, double missing);
uint64_t item_uint(const cJSON *object, const char *key);
int64_t item_int(const cJSON *object, const char *key, int64_t missing);
int item_int32(const cJSON *object, const char *key, int missing);
string_id item_text(struct session_reader *r, const cJSON *object, const char *key);
/* A list of texts; *LIST is the caller's. Returns how many. */
size_t item_texts(struct session_reader *r, const cJSON *object, const char *key, string_id **list);
/* Unix milliseconds as time of the session, MB as bytes, milliseconds as ns. */
uint64_t item_at_ns(const struct session_reader *r, const cJSON *object, const char *key);
uint64_t item_bytes(const cJSON *object, const char *key);
uint64_t item_ns(const cJSON *object, const char *key);
/* The value whose word stands under KEY; 0 when no value has it. */
unsigned item_word(const cJSON *object, const char *key, enum rs_words words);

/* -- columns -- */

bool slice_member(struct json_slice object, const char *key, struct json_slice *value);
/* The numbers of the array KEY of OBJECT; *NUMBERS is the caller's. Their count; -1: there is no such array, or a
 * broken one. */
int64_t slice_numbers(struct json_slice object, const char *key, double **numbers);

/* Columns of one section, of one length; missing ones are zero. */
struct table {
    struct json_slice section;
    size_t count;
};

/* The length is that of the column FIRST; no section or no such column is an empty table. */
int table_open(struct session_reader *r, const char *section, const char *first, struct table *table);
/*
 * The whole-number column KEY, each in [MIN, MAX]; zeros when the file has none. NULL when it is broken. The caller's,
 * as what table_words() returns.
 */
int64_t *table_ints(const struct table *table, const char *key, double min, double max);
/* The column KEY of WORDS, as their values. */
int64_t *table_words(const struct table *table, const char *key, enum rs_words words);

/* -- the parts, each of one or more sections, in the order in which they can be read -- */

int read_meta(struct session_reader *r);        /* meta, summary */
int read_tree(struct session_reader *r);        /* strings, modules, frames, nodes */
int read_processes(struct session_reader *r);   /* processes, threads */
int read_series(struct session_reader *r);      /* samples, timeline */
int read_rows(struct session_reader *r);        /* process_timeline, cpu, offcpu, alloc_buckets */
int read_findings(struct session_reader *r);    /* memory_events, functions, rollups, hotspot_snapshots, diagnostics */
int read_allocations(struct session_reader *r); /* allocations, leaks */
int read_scopes(struct session_reader *r);      /* scopes, outliers, budget_violations, async_tasks */
int read_benchmarks(struct session_reader *r);  /* benchmarks */
