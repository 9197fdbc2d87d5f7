/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdio.h>

#include "analyze/answers.h"
#include "report/summary.h"

/* ANSWER to QUESTION as a table, or as one JSON object. Both return 0 or a negative errno of the stream. */
int answers_print(FILE *out, const struct session *s, const struct question *question, const struct answer *answer,
                  const struct summary_options *options);
int answers_print_json(FILE *out, const struct session *s, const struct question *question,
                       const struct answer *answer);
