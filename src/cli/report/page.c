/* SPDX-License-Identifier: MIT */
#include "report/page.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/path.h"
#include "text/name.h"

const char *page_text(const struct page *page, string_id id)
{
    return strings_get(&page->s->strings, id);
}

int page_piece(struct page *page, int col, enum style style, const char *format, ...)
{
    char text[512];
    va_list args;
    int needed;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    needed = fmt_cols(text, page->options->charset);
    if (col + needed > page->cols)
        return col;
    return col + canvas_text(page->canvas, page->row, col, needed, text, style) + 3;
}

void page_next_row(struct page *page)
{
    if (page->row < page->rows - 1)
        page->row++;
}

void page_paragraph(struct page *page, int col, int indent, enum style style, const char *text)
{
    for (int rows = canvas_wrap(page->canvas, page->row, col, indent, text, style); rows > 0; rows--)
        page_next_row(page);
}

int page_frame_name(const struct page *page, uint32_t frame, int cols, char *out, size_t cap)
{
    const struct frame *f = &page->s->tree.frames[frame];
    const char *name = f->func ? page_text(page, f->func) : "[unknown]";

    return name_short(out, cap, name, cols, page->options->charset);
}

void page_frame_place(const struct page *page, uint32_t frame, char *out, size_t cap)
{
    const struct frame *f = &page->s->tree.frames[frame];

    if (f->file)
        snprintf(out, cap, f->line ? "%s:%u" : "%s", rs_path_base(page_text(page, f->file)), f->line);
    else if (f->crate)
        snprintf(out, cap, "%s", page_text(page, f->crate));
    else
        snprintf(out, cap, "%s", f->object >= 0 ? page_text(page, page->s->tree.modules[f->object].name) : "");
}

void page_code(struct page *page, int col, int cols, uint32_t frame, uint32_t via, enum style style)
{
    enum { PLACE_COLS = 20, GAP = 2, VIA_FROM = 62 };
    int place_cols = cols >= 44 ? PLACE_COLS : 0, via_cols = cols >= VIA_FROM ? (cols - PLACE_COLS) * 2 / 5 : 0;
    int name_cols = cols - (place_cols ? place_cols + GAP : 0) - (via_cols ? via_cols + GAP : 0);
    char text[600];

    page_frame_name(page, frame, name_cols, text, sizeof(text));
    canvas_text(page->canvas, page->row, col, name_cols, text, style);
    col += name_cols + GAP;
    if (place_cols) {
        page_frame_place(page, frame, text, sizeof(text));
        canvas_text(page->canvas, page->row, col, place_cols, text, STYLE_DIM);
        col += place_cols + GAP;
    }
    if (via_cols && via != UINT32_MAX) {
        canvas_text(page->canvas, page->row, col, 4, "via ", STYLE_DIM);
        page_frame_name(page, via, via_cols - 4, text, sizeof(text));
        canvas_text(page->canvas, page->row, col + 4, via_cols - 4, text, STYLE_DIM);
    }
}

bool page_spike_owner(const struct page *page, const struct session_event *event, uint32_t *frame, uint32_t *via,
                      int64_t *bytes)
{
    const struct calltree *tree = &page->s->tree;
    int64_t best = 0, heaviest;

    for (size_t i = 0; i < event->allocation_count; i++) {
        int32_t node = event->allocations[i].node, owner = node >= 0 ? page->owners.owner[node] : CALLTREE_NO_NODE;
        int64_t sum = 0;
        int32_t by = CALLTREE_NO_NODE;

        heaviest = 0;
        for (size_t k = 0; k < event->allocation_count && owner >= 0; k++) {
            const struct event_allocation *a = &event->allocations[k];
            int32_t other = a->node >= 0 ? page->owners.owner[a->node] : CALLTREE_NO_NODE;

            if (other < 0 || tree->frames[tree->nodes[other].frame].func != tree->frames[tree->nodes[owner].frame].func)
                continue;
            sum += a->bytes;
            if (a->bytes > heaviest) {
                heaviest = a->bytes;
                by = page->owners.via[a->node];
            }
        }
        if (sum <= best)
            continue;
        best = sum;
        *frame = tree->nodes[owner].frame;
        *via = by >= 0 ? tree->nodes[by].frame : UINT32_MAX;
    }
    *bytes = best;
    return best > 0;
}
