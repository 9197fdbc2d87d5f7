/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "session/session.h"

enum conclude_flags {
    CONCLUDE_QUIET = 1,      /* no summary */
    CONCLUDE_DEBUGINFOD = 2, /* missing debug files may be fetched */
};

/* Names and findings of a session whose recording has ended, in memory: the first half of conclude(). */
void conclude_analyse(struct session *session, bool debuginfod);

/*
 * The end of every recording, whatever it collected from: names, analysis, the JSON on disk, the summary on stderr.
 * Ctrl-C meanwhile leaves the debug information aside and goes on with the names that are quickly had.
 * Returns 0, or a negative errno with a sentence when the JSON could not be written (the summary is shown all the
 * same).
 */
int conclude(struct session *session, const char *output, unsigned flags, struct rs_err *err);
