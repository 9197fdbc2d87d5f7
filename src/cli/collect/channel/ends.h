/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/* Process images that are over. */
struct reader;

/*
 * The open image at place OPEN of the reader's list is over and everything it sent is read: what lives is leaked, and
 * its memory is gone. The last one of the list takes its place.
 */
void ends_image(struct reader *r, size_t open);

/* The same for every image that had ended before this pass began. */
void ends_of_pass(struct reader *r);
