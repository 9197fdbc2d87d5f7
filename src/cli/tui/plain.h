/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "session/session.h"

/* What is said on stderr where there is no live screen: a line for each spike, few enough for a log. */
struct plain {
    unsigned said;
};

/* The episode EVENT of S is over. After PLAIN_LINES lines one more says that the rest is in the report. */
enum { PLAIN_LINES = 20 };
void plain_event(struct plain *plain, const struct session *s, uint32_t event);
