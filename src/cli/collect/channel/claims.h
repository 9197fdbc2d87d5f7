/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "collect/channel/reader.h"
#include "collect/process/sampler.h"
#include "session/session.h"

/*
 * Which of the session's records is an image's. The sampler makes a record for what it sees in a process at its looks,
 * an image says hello for every exec: `env`, `nice` and `sh -c 'exec …'` are over before the first look, so that the
 * sampler's only record is of a later image than the first hello.
 *
 * Records and hellos of one process come in the order of its execs; a record is an image's when it comes after that of
 * the image before and has its program. Where none is, one is put in its place in that order.
 */

/*
 * The record for IMAGE, one of the COUNT IMAGES, which are announced in the order of their hellos. SAMPLER (may be
 * NULL) is told first, so that it makes one while the process lives.
 */
int32_t claim_record(struct session *s, struct sampler *sampler, struct image *const *images, size_t count,
                     const struct image *image);
