/* SPDX-License-Identifier: MIT */
#pragma once

#include "tui/chart.h"
#include "tui/layout.h"

/*
 * The live screen as a picture: what is shown (screen_model, filled from the session by model.c) and how the person
 * wants it shown (screen_ui), drawn into a canvas. Pure: no clock, no terminal.
 */
enum screen_metric { SCREEN_CPU, SCREEN_MEMORY, SCREEN_THREADS, SCREEN_FDS, SCREEN_METRICS };

struct screen_series {
    double *values; /* newest last, NaN where unknown; the model's */
    size_t count, cap;
    size_t first;     /* absolute index of values[0] */
    double now, peak; /* NaN unknown */
};

/* One line of a table: up to three right-aligned columns behind the name. */
struct screen_row {
    char name[120];
    char columns[3][16];
    enum style style;
};

struct screen_table {
    const char *title;
    const char *headings[3]; /* NULL: no such column */
    const char *empty;       /* the one line that stands there without rows */
    struct screen_row *rows;
    size_t count, cap;
};

enum screen_table_kind { TABLE_FUNCTIONS, TABLE_PROCESSES, TABLE_THREADS, TABLE_KINDS };

struct screen_event {
    double at_s;
    char text[120];
    char detail[160];
    bool spike; /* else a mark or a gap */
};

struct screen_model {
    char program[160];
    int pid;
    double elapsed_s;
    const char *state; /* "recording", "stopped", "ending" … */
    bool flash;        /* an episode opened less than two seconds ago */
    const char *memory_title;
    double hot_cpu_pct;
    double interval_s; /* between points of the series */
    struct screen_series series[SCREEN_METRICS];
    double alloc_bytes_per_s, read_bytes_per_s, write_bytes_per_s; /* NaN unknown */
    struct screen_table tables[TABLE_KINDS], allocations;
    struct screen_event *events; /* oldest first */
    size_t event_count, event_cap;
    const char *(*output_line)(void *ctx, size_t index); /* lines of the program's output, 0 is the oldest */
    void *output_ctx;
    size_t output_count;
    bool has_output;
};

struct screen_ui {
    enum pane focus;        /* PANE_TABLE, PANE_ALLOCATIONS, PANE_EVENTS or PANE_OUTPUT */
    int scroll[PANE_COUNT]; /* lines back from the natural end of a pane (the top of tables, the newest of lists) */
    enum screen_table_kind table;
    bool compact, paused, help, zoom;
    double span_s; /* that a chart covers, about */
    struct chart_scale scales[SCREEN_METRICS];
};

void screen_ui_init(struct screen_ui *ui);
/* The layout that UI and MODEL ask for on ROWS x COLS. */
void screen_layout(const struct screen_model *model, const struct screen_ui *ui, int rows, int cols,
                   struct layout *layout);
/* How many points of a series the widest chart of LAYOUT shows. */
size_t screen_points_wanted(const struct screen_ui *ui, const struct layout *layout, double interval_s);
/* Grows the scales in UI, keeps scroll positions within bounds, draws everything. CANVAS has the screen's size. */
void screen_draw(struct canvas *canvas, const struct screen_model *model, struct screen_ui *ui);
