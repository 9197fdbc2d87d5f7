/* SPDX-License-Identifier: MIT */
#include "tui/screen.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static double values[SCREEN_METRICS][400];
static struct screen_row functions[3];
static struct screen_event events[2];

static const char *output_line(void *ctx, size_t index)
{
    static char line[32];

    (void)ctx;
    snprintf(line, sizeof(line), "line %zu", index);
    return line;
}

/* A model with every pane filled, the same every time. */
static struct screen_model sample_model(void)
{
    struct screen_model model = {
        .program = "redis-server *:6379",
        .pid = 4121,
        .elapsed_s = 7.8,
        .state = "recording",
        .memory_title = "heap",
        .hot_cpu_pct = 80,
        .interval_s = 0.1,
        .alloc_bytes_per_s = 912000,
        .read_bytes_per_s = 0,
        .write_bytes_per_s = 1.2e6,
        .has_output = true,
        .output_line = output_line,
        .output_count = 40,
        .events = events,
        .event_count = 2,
    };

    for (int i = 0; i < 400; i++) {
        values[SCREEN_CPU][i] = i < 250 ? 30 + 20 * sin(i / 20.0) : i < 300 ? 97 : 20;
        values[SCREEN_MEMORY][i] = 20e6 + i * 90e3;
        values[SCREEN_THREADS][i] = 5;
        values[SCREEN_FDS][i] = i < 200 ? 12 : 31;
    }
    for (int i = 0; i < SCREEN_METRICS; i++)
        model.series[i] = (struct screen_series){.values = values[i], .count = 400};
    model.series[SCREEN_CPU].now = 20, model.series[SCREEN_CPU].peak = 98;
    model.series[SCREEN_MEMORY].now = 55.9e6, model.series[SCREEN_MEMORY].peak = 56e6;
    model.series[SCREEN_THREADS].now = model.series[SCREEN_THREADS].peak = 5;
    model.series[SCREEN_FDS].now = model.series[SCREEN_FDS].peak = 31;
    functions[0] = (struct screen_row){.name = "dictResize", .columns = {"31.0 %"}};
    functions[1] = (struct screen_row){.name = "zmalloc_usable", .columns = {"12.7 %"}};
    functions[2] =
        (struct screen_row){.name = "a_function_with_a_name_that_is_far_too_long_for_it", .columns = {"9 %"}};
    model.tables[TABLE_FUNCTIONS] =
        (struct screen_table){.title = "Functions (last 10 s)", .headings = {"self"}, .rows = functions, .count = 3};
    events[0] = (struct screen_event){3.1, "+10.0 MB in 240 ms", "createObject ← setCommand", true};
    events[1] = (struct screen_event){7.8, "CPU 98 %", "", true};
    return model;
}

static void draw(struct canvas *canvas, const struct screen_model *model, struct screen_ui *ui, int rows, int cols,
                 enum charset charset)
{
    canvas->charset = charset;
    canvas_resize(canvas, rows, cols);
    screen_draw(canvas, model, ui);
}

static char *whole_text(const struct canvas *canvas)
{
    size_t cap = (size_t)(canvas->rows + 1) * ((size_t)canvas->cols * 4 + 2), used = 0;
    char *text = malloc(cap);

    for (int row = 0; row < canvas->rows; row++) {
        canvas_row_text(canvas, row, text + used, cap - used);
        used += strlen(text + used);
        text[used++] = '\n';
    }
    text[used] = '\0';
    return text;
}

static void compare_golden(const struct canvas *canvas, const char *name)
{
    char path[512], *text = whole_text(canvas), *golden;
    size_t len;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", TEST_GOLDEN_DIR, name);
    if (getenv("UPDATE_GOLDEN")) {
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        fputs(text, f);
        fclose(f);
    }
    f = fopen(path, "re");
    ck_assert_msg(f != NULL, "no %s", path);
    golden = calloc(1, 1 << 20);
    len = fread(golden, 1, (1 << 20) - 1, f);
    golden[len] = '\0';
    fclose(f);
    ck_assert_msg(!strcmp(golden, text), "%s differs; got:\n%s", name, text);
    free(golden);
    free(text);
}

START_TEST(golden_screens)
{
    static const struct {
        const char *name;
        int rows, cols;
        enum charset charset;
        bool compact;
    } screens[] = {
        {"screen_24x80.txt", 24, 80, CHARSET_UTF8, false},
        {"screen_24x80_ascii.txt", 24, 80, CHARSET_ASCII, false},
        {"screen_44x130.txt", 44, 130, CHARSET_UTF8, false},
        {"screen_12x44.txt", 12, 44, CHARSET_UTF8, false},
        {"screen_24x80_compact.txt", 24, 80, CHARSET_UTF8, true},
    };
    struct screen_model model = sample_model();
    struct canvas canvas = {0};

    for (size_t i = 0; i < sizeof(screens) / sizeof(*screens); i++) {
        struct screen_ui ui;

        screen_ui_init(&ui);
        ui.compact = screens[i].compact;
        draw(&canvas, &model, &ui, screens[i].rows, screens[i].cols, screens[i].charset);
        compare_golden(&canvas, screens[i].name);
    }
    canvas_release(&canvas);
}
END_TEST

START_TEST(every_size_draws_without_a_crash_and_ascii_stays_ascii)
{
    struct screen_model model = sample_model();
    struct canvas canvas = {0};

    for (int rows = 0; rows <= 60; rows++)
        for (int cols = 0; cols <= 170; cols += rows % 3 + 2) {
            struct screen_ui ui;

            screen_ui_init(&ui);
            ui.focus = rows % 2 ? PANE_OUTPUT : PANE_EVENTS;
            ui.help = cols % 5 == 0;
            ui.zoom = cols % 7 == 0;
            model.flash = cols % 2;
            draw(&canvas, &model, &ui, rows, cols, CHARSET_ASCII);
            for (int i = 0; i < rows * cols; i++)
                if (canvas.cells[i].glyph < ' ' || canvas.cells[i].glyph >= 0x7f)
                    ck_abort_msg("glyph U+%04X on %dx%d in ASCII", canvas.cells[i].glyph, rows, cols);
        }
    canvas_release(&canvas);
}
END_TEST

START_TEST(the_smallest_screens_tell_the_number_that_counts)
{
    static const struct {
        int cols;
        const char *text;
    } sizes[] = {
        {1, "…"}, {3, "20"}, {8, "CPU 20 %"}, {20, "CPU 20 %  55.9 MB"}, {40, "CPU 20 %  55.9 MB  thr 5  fds 31"}};
    struct screen_model model = sample_model();
    struct canvas canvas = {0};
    char row[256];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct screen_ui ui;

        screen_ui_init(&ui);
        draw(&canvas, &model, &ui, 4, sizes[i].cols, CHARSET_UTF8);
        canvas_row_text(&canvas, 0, row, sizeof(row));
        ck_assert_str_eq(row, sizes[i].text);
    }
    canvas_release(&canvas);
}
END_TEST

START_TEST(the_scale_only_grows)
{
    struct chart_scale scale = {10};
    static const struct {
        double value, top;
    } steps[] = {{3, 10}, {10, 10}, {10.5, 20}, {4, 20}, {21, 50}, {51, 100}, {NAN, 100}, {101, 200}, {1e9, 1e9}};

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        chart_scale_grow(&scale, steps[i].value);
        ck_assert_double_eq(scale.top, steps[i].top);
    }
}
END_TEST

START_TEST(charts_fill_from_the_right)
{
    const double few[] = {50, 100};
    struct chart chart = {.title = "x",
                          .unit = CHART_PERCENT,
                          .values = few,
                          .count = 2,
                          .interval_s = 1,
                          .now = 100,
                          .peak = 100,
                          .points_per_col = 1};
    struct chart_scale scale = {100};
    struct canvas canvas = {.charset = CHARSET_UTF8};
    char row[256];

    canvas_resize(&canvas, 4, 18);
    chart_draw(&canvas, (struct rect){0, 0, 4, 18}, &chart, &scale);
    canvas_row_text(&canvas, 1, row, sizeof(row));
    ck_assert_str_eq(row, "   100 ┤        █");
    canvas_row_text(&canvas, 2, row, sizeof(row));
    ck_assert_str_eq(row, "       │       ██");
    canvas_row_text(&canvas, 3, row, sizeof(row));
    ck_assert_str_eq(row, "     0 ┼─────────");
    canvas_release(&canvas);
}
END_TEST

START_TEST(columns_keep_their_points_while_scrolling)
{
    /* With four points a column, the column cuts lie at multiples of four whatever the newest point is. */
    double wave[64];
    struct canvas before = {.charset = CHARSET_UTF8}, after = {.charset = CHARSET_UTF8};
    struct chart_scale scale = {100};

    for (int i = 0; i < 64; i++)
        wave[i] = i * 37 % 100;
    for (int count = 40; count < 43; count++) {
        struct chart chart = {
            .title = "", .values = wave, .count = (size_t)count, .interval_s = 1, .points_per_col = 4};

        canvas_resize(&before, 8, 19);
        chart_draw(&before, (struct rect){0, 0, 8, 19}, &chart, &scale);
        chart.count = (size_t)count + 4;
        canvas_resize(&after, 8, 19);
        chart_draw(&after, (struct rect){0, 0, 8, 19}, &chart, &scale);
        for (int row = 3; row < 6; row++)
            for (int col = 10; col < 16; col++)
                ck_assert_uint_eq(after.cells[row * 19 + col - 1].glyph == ' ',
                                  before.cells[row * 19 + col].glyph == ' ');
    }
    canvas_release(&before);
    canvas_release(&after);
}
END_TEST

START_TEST(scrolling_stops_at_the_ends)
{
    struct screen_model model = sample_model();
    struct canvas canvas = {0};
    struct screen_ui ui;
    char *text;

    screen_ui_init(&ui);
    ui.focus = PANE_OUTPUT;
    ui.zoom = true;
    ui.scroll[PANE_OUTPUT] = 1000;
    draw(&canvas, &model, &ui, 12, 60, CHARSET_UTF8);
    ck_assert_int_eq(ui.scroll[PANE_OUTPUT], 30);
    text = whole_text(&canvas);
    ck_assert_ptr_nonnull(strstr(text, "line 0 "));
    ck_assert_ptr_nonnull(strstr(text, "30 lines below"));
    free(text);
    ui.scroll[PANE_OUTPUT] = -5;
    draw(&canvas, &model, &ui, 12, 60, CHARSET_UTF8);
    ck_assert_int_eq(ui.scroll[PANE_OUTPUT], 0);
    canvas_release(&canvas);
}
END_TEST

static void set_up_locale(void) __attribute__((constructor));
static void set_up_locale(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
}

SUITE("screen", golden_screens, every_size_draws_without_a_crash_and_ascii_stays_ascii,
      the_smallest_screens_tell_the_number_that_counts, the_scale_only_grows, charts_fill_from_the_right,
      columns_keep_their_points_while_scrolling, scrolling_stops_at_the_ends)
