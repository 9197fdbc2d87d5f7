/* SPDX-License-Identifier: MIT */
#include "collect/process/reaped.h"

uint64_t reaped_read(struct reaped *parent, uint64_t now, uint64_t slack)
{
    uint64_t grown = now > parent->read ? now - parent->read : 0;
    uint64_t known = grown < parent->counted ? grown : parent->counted;

    parent->read += grown;
    parent->counted -= known;
    if (parent->counted > slack)
        parent->counted = slack;
    return grown - known;
}

void reaped_hand_up(struct reaped *parent, uint64_t own, const struct reaped *child)
{
    parent->counted += own + child->read + child->counted;
}
