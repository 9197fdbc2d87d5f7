/* SPDX-License-Identifier: MIT */
#include "collect/channel/levels.h"

#include "base/alloc.h"
#include "collect/channel/reader.h"

static void push_row(struct reader *r, uint32_t image, const struct row_cell *cell)
{
    if (r->row_count == READER_ROWS_MAX) { /* nobody takes them: the totals still know */
        r->rows_dropped++;
        return;
    }
    GROW(r->rows, r->row_count + 1, r->row_cap);
    r->rows[r->row_count++] = (struct reader_row){.image = image,
                                                  .site = cell->site,
                                                  .thread = cell->thread,
                                                  .tick = r->done_tick,
                                                  .bytes = cell->bytes,
                                                  .count = cell->count,
                                                  .net_bytes = cell->net_bytes};
}

struct row_cell *levels_take_cell(struct reader *r, const struct stream *s, uint32_t site, uint32_t index)
{
    struct image *image = s->image;
    struct row_cell *cell;

    if (!image->cells) {
        image->cells = xcalloc(ROW_CELLS, sizeof(*image->cells));
        image->dirty = xcalloc(ROW_CELLS, sizeof(*image->dirty));
        for (uint32_t k = 0; k < ROW_CELLS; k++)
            image->cells[k].site = HEAP_NO_SITE;
    }
    cell = &image->cells[index];
    if (cell->site != HEAP_NO_SITE)
        push_row(r, s->image_index, cell);
    else
        image->dirty[image->dirty_count++] = (uint16_t)index;
    *cell = (struct row_cell){.site = site, .thread = s->thread_index};
    return cell;
}

void levels_flush(struct reader *r, uint32_t image_index)
{
    struct image *image = r->images[image_index];

    for (size_t i = 0; i < image->dirty_count; i++) {
        push_row(r, image_index, &image->cells[image->dirty[i]]);
        image->cells[image->dirty[i]].site = HEAP_NO_SITE;
    }
    image->dirty_count = 0;
}

void levels_push(struct reader *r, uint32_t image, uint64_t live, uint64_t peak, uint64_t alloc)
{
    GROW(r->levels, r->level_count + 1, r->level_cap);
    r->levels[r->level_count++] = (struct reader_level){
        .tick = r->done_tick, .image = image, .live_bytes = live, .live_peak_bytes = peak, .alloc_bytes = alloc};
}

void levels_note(struct reader *r)
{
    if (r->live_bytes > r->peak_bytes) {
        r->peak_bytes = r->live_bytes;
        r->peak_tick = r->done_tick;
        r->peak_mark++;
    }
    if (r->live_bytes > r->interval_peak_bytes)
        r->interval_peak_bytes = r->live_bytes;
    for (size_t i = 0; i < r->open_count; i++) {
        struct image *image = r->images[r->open[i]];

        if (image->heap.live_bytes > image->peak_bytes)
            image->peak_bytes = image->heap.live_bytes;
    }
}

void levels_close_tick(struct reader *r, uint32_t tick)
{
    uint32_t before = r->done_tick;

    if ((int32_t)(tick - before) <= 0 && before)
        return;
    levels_note(r);
    if (r->any && tick / READER_LEVEL_TICKS != before / READER_LEVEL_TICKS) {
        for (size_t i = 0; i < r->open_count; i++) {
            const struct image *image = r->images[r->open[i]];

            levels_flush(r, r->open[i]);
            if (image->heap.allocations)
                levels_push(r, r->open[i], image->heap.live_bytes, image->peak_bytes, 0);
        }
        levels_push(r, READER_ALL, r->live_bytes, r->interval_peak_bytes, r->interval_alloc_bytes);
        r->interval_alloc_bytes = 0;
        r->interval_peak_bytes = r->live_bytes;
    }
    r->done_tick = tick;
}
