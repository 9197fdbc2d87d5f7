/* SPDX-License-Identifier: MIT */
#pragma once

#include "session/session.h"
#include "text/format.h"

/*
 * The call path of NODE for a line of text, innermost first: "createObject ← setCommand ← call". At most FRAMES frames;
 * the allocator's and our own are left out. OUT gets CAP bytes at most, always NUL-terminated.
 */
void node_path(const struct session *s, int32_t node, int frames, enum charset charset, char *out, size_t cap);
