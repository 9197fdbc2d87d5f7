/* SPDX-License-Identifier: MIT */
#pragma once

#include "session/session.h"
#include "system/loop.h"

/*
 * So that little is lost when rustscope itself is killed: the session so far goes to OUTPUT.partial every 10 seconds,
 * or less often when writing takes long (100 times as long as the last one took). A forked child writes it from its
 * copy of the memory, so the loop is held up for a fork and nothing else. The file is whole at any time (written beside
 * and renamed), unsymbolised, and gone once the real report is there.
 */
struct checkpoint;

/* OUTPUT and SESSION must outlive it. NULL when OUTPUT is not a regular file ("-", a FIFO, a device). */
struct checkpoint *checkpoint_new(struct loop *loop, struct session *session, const char *output);

/* Waits for a child that still writes; removes the partial file when DONE: the real one is on disk. NULL is fine. */
void checkpoint_free(struct checkpoint *checkpoint, bool done);
