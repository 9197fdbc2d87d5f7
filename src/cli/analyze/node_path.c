/* SPDX-License-Identifier: MIT */
#include "analyze/node_path.h"

#include <stdio.h>

void node_path(const struct session *s, int32_t node, int frames, enum charset charset, char *out, size_t cap)
{
    const struct calltree *tree = &s->tree;
    const char *arrow = charset == CHARSET_UTF8 ? " ← " : " < ";
    size_t used = 0;
    int shown = 0;

    out[0] = '\0';
    while (node >= 0 && (size_t)node < tree->node_count && shown < frames && used + 1 < cap) {
        const struct frame *frame = &tree->frames[tree->nodes[node].frame];
        const char *name = strings_get(&s->strings, frame->func);

        node = tree->nodes[node].parent;
        if (frame->layer == LAYER_ALLOC || frame->layer == LAYER_PROFILER)
            continue;
        used += (size_t)snprintf(out + used, cap - used, "%s%s", shown++ ? arrow : "", *name ? name : "[unknown]");
    }
}
