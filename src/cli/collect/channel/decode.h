/* SPDX-License-Identifier: MIT */
#pragma once

#include "collect/channel/images.h"

/* From the bytes of records and frames to what they mean for their image. */

/* Whether H may be a frame's header. */
bool decode_is_frame(const struct rs_frame_header *h);

/* The stream's next frame begins: its sequence number, its time, what was lost before it. */
void decode_begin(struct reader *r, struct stream *s, const struct rs_frame_header *h);

/*
 * Decodes records of one frame, LEN bytes, as far as UNTIL_TICK. *LAST is the address that the next packed record
 * counts from. Returns how many bytes are done. Records that cannot be are skipped with the rest of the frame.
 */
size_t decode_records(struct reader *r, struct stream *s, uint64_t *last, const char *bytes, size_t len,
                      uint32_t until_tick);

/* Reads what there is in the FIFO, at most so much that the slab gets its turn. */
void fifo_read(struct reader *r);
