/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The process's settings. Threads notice changes by rustscope_state, which inlined scopes compare with the value that
 * their thread saw last: any change gives it a new value, and the next scope of each thread takes the slow path once.
 */

/* Reads the environment, starts the clock, registers the fork and thread-end handlers. Any number of times. */
void rs_init(void);

struct rs_context;
/* Has C given back when this thread ends. */
void rs_thread_end_expect(struct rs_context *c);

/* What a thread must notice; see rs_context_catch_up(). */
uint32_t rs_resets(void);
uint32_t rs_settings(void);
void rs_settings_changed(void);
/* A new state with everything as it is. */
void rs_state_renew(void);

double rs_outlier_sigma(void);
uint64_t rs_outlier_warmup(void);
enum rustscope_mode rs_process_mode(void); /* never RUSTSCOPE_DEFAULT's "what the process chose": DEFAULT is the plain mode */
uint32_t rs_sampled_period(void);
const char *rs_mode_name(void);

/* What RUSTSCOPE_OUT said, or NULL. */
const char *rs_out_path(void);
/* Is this a forked child of the process that read the environment? Its report needs a name of its own. */
bool rs_is_forked(void);

/* The session's name, tags and labels, for the report. Counts are loaded before their entries. */
struct rs_label {
    const char *key, *value;
};
const char *rs_session_name(void);
uint32_t rs_tag_count(void);
const char *rs_tag(uint32_t i);
uint32_t rs_label_count(void);
struct rs_label rs_label(uint32_t i);
/* Changes with each of them. */
uint32_t rs_session_serial(void);
/* How often tags and labels were cleared. */
uint32_t rs_session_clears(void);
