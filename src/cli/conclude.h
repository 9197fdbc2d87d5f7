/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "session/session.h"

/*
 * The end of every recording, whatever it collected from: analysis, the JSON on disk, the summary on stderr.
 * Returns 0, or a negative errno with a sentence when the JSON could not be written (the summary is shown all the
 * same).
 */
int conclude(struct session *session, const char *output, bool quiet, struct rs_err *err);
