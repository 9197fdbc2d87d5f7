/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "session/session.h"

/*
 * What librustscope tells (core/scopes_wire.h), from records into the session. Marks, counters and texts go there at
 * once, figures at the end: the last totals of each process count. What comes in is untrusted; ids beyond the library's
 * own limits and records of a wrong length are counted and skipped.
 */
struct scopes;

struct scopes *scopes_new(struct session *session);
void scopes_free(struct scopes *scopes);

/* One record of kind RS_RECORD_LIB_FIRST … RS_RECORD_LIB_LAST from PROCESS (index in the session). */
void scopes_record(struct scopes *scopes, int32_t process, const void *record, size_t bytes);

/* Fills session->scopes and the instrumented functions with what is known now; may be called again. */
void scopes_finish(struct scopes *scopes);
