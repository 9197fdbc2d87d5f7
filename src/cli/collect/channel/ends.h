/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* Process images that are over. */
struct reader;

/* The image at INDEX is over and everything it sent is read: what lives is leaked, and its memory is gone. */
void ends_image(struct reader *r, uint32_t index);

/* The same for every image that had ended before this pass began. */
void ends_of_pass(struct reader *r);
