/* SPDX-License-Identifier: MIT */
#pragma once

#include "session/session.h"
#include "tui/screen.h"

/*
 * Fills the screen's model from the session, and keeps what rates need from one look to the next. Costs are bounded: the
 * series by what the charts show, tables are made anew once a second.
 */
struct model {
    struct screen_model screen;
    struct session *session;      /* its raw frames get their names here */
    struct live_names *names;
    uint64_t *process_cpu_ns, *thread_cpu_ns; /* at the last look, by index */
    size_t process_count, thread_count, process_cap, thread_cap;
    uint64_t tables_at_ns; /* when the tables were made */
};

void model_init(struct model *model, struct session *session);
void model_release(struct model *model);
/* NOW_NS counts from the session's start. POINTS of the series are taken, the newest. */
void model_update(struct model *model, uint64_t now_ns, size_t points);
