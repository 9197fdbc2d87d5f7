/* SPDX-License-Identifier: MIT */
#include "text/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void canvas_resize(struct canvas *canvas, int rows, int cols)
{
    canvas->rows = rows < 0 ? 0 : rows;
    canvas->cols = cols < 0 ? 0 : cols;
    free(canvas->cells);
    canvas->cells = xcalloc((size_t)canvas->rows * (size_t)canvas->cols, sizeof(*canvas->cells));
    canvas_clear(canvas);
}

void canvas_release(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

void canvas_clear(struct canvas *canvas)
{
    for (size_t i = 0; i < (size_t)canvas->rows * (size_t)canvas->cols; i++)
        canvas->cells[i] = (struct cell){' ', STYLE_NORMAL};
}

static struct cell *cell_at(const struct canvas *canvas, int row, int col)
{
    if (row < 0 || col < 0 || row >= canvas->rows || col >= canvas->cols)
        return NULL;
    return &canvas->cells[(size_t)row * (size_t)canvas->cols + (size_t)col];
}

void canvas_put(struct canvas *canvas, int row, int col, uint32_t glyph, enum style style)
{
    struct cell *cell = cell_at(canvas, row, col);

    if (cell)
        *cell = (struct cell){glyph, (uint8_t)style};
}

int canvas_text(struct canvas *canvas, int row, int col, int cols, const char *text, enum style style)
{
    char clean[2048];
    size_t at = 0, len;
    int taken = 0;

    if (cols > canvas->cols - col)
        cols = canvas->cols - col;
    if (cols <= 0 || row < 0 || row >= canvas->rows)
        return 0;
    fmt_fit(clean, sizeof(clean), text, cols, canvas->charset);
    len = strlen(clean);
    while (at < len) {
        unsigned glyph;
        int glyph_cols;

        at += fmt_char(clean + at, len - at, &glyph, &glyph_cols);
        /* A cell holds one code point: combining marks are left out. */
        if (glyph_cols == 0)
            continue;
        canvas_put(canvas, row, col + taken, glyph, style);
        if (glyph_cols == 2)
            canvas_put(canvas, row, col + taken + 1, 0, style);
        taken += glyph_cols;
    }
    return taken;
}

void canvas_text_right(struct canvas *canvas, int row, int col, int cols, const char *text, enum style style)
{
    int needed = fmt_cols(text, canvas->charset);

    if (needed < cols)
        canvas_text(canvas, row, col + cols - needed, needed, text, style);
    else
        canvas_text(canvas, row, col, cols, text, style);
}

int canvas_printf(struct canvas *canvas, int row, int col, int cols, enum style style, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return canvas_text(canvas, row, col, cols, text, style);
}

int canvas_wrap(struct canvas *canvas, int row, int col, int indent, const char *text, enum style style)
{
    int first = row, line_start = col, at = col;

    while (*text) {
        size_t len = strcspn(text, " "), gap = strspn(text + len, " ");
        char word[256];
        int cols;

        snprintf(word, sizeof(word), "%.*s", (int)len, text);
        cols = fmt_cols(word, canvas->charset);
        if (at > line_start && at + cols > canvas->cols) {
            row++;
            line_start = at = indent;
        }
        at += canvas_text(canvas, row, at, canvas->cols - at, word, style) + 1;
        text += len + gap;
    }
    return row - first + 1;
}

void canvas_restyle(struct canvas *canvas, struct rect rect, enum style style)
{
    for (int row = rect.row; row < rect.row + rect.rows; row++)
        for (int col = rect.col; col < rect.col + rect.cols; col++) {
            struct cell *cell = cell_at(canvas, row, col);

            if (cell)
                cell->style = (uint8_t)style;
        }
}

static const uint32_t box_glyphs[16] = {
    ' ',    0x2575, 0x2577, 0x2502, 0x2574, 0x2518, 0x2510, 0x2524,
    0x2576, 0x2514, 0x250c, 0x251c, 0x2500, 0x2534, 0x252c, 0x253c,
};

uint32_t canvas_box_glyph(enum charset charset, unsigned edges)
{
    edges &= 15;
    if (charset == CHARSET_UTF8)
        return box_glyphs[edges];
    if (!(edges & (EDGE_LEFT | EDGE_RIGHT)))
        return edges ? '|' : ' ';
    return edges & (EDGE_UP | EDGE_DOWN) ? '+' : '-';
}

static unsigned edges_of(uint32_t glyph)
{
    static const struct {
        char glyph;
        unsigned char edges;
    } ascii[] = {{'|', EDGE_UP | EDGE_DOWN}, {'-', EDGE_LEFT | EDGE_RIGHT}, {'+', 15}};

    for (unsigned edges = 1; edges < 16; edges++)
        if (box_glyphs[edges] == glyph)
            return edges;
    for (size_t i = 0; i < sizeof(ascii) / sizeof(*ascii); i++)
        if ((uint32_t)ascii[i].glyph == glyph)
            return ascii[i].edges;
    return 0;
}

static void join(struct canvas *canvas, int row, int col, unsigned edges)
{
    const struct cell *cell = cell_at(canvas, row, col);

    if (cell)
        canvas_put(canvas, row, col, canvas_box_glyph(canvas->charset, edges_of(cell->glyph) | edges), STYLE_DIM);
}

void canvas_hline(struct canvas *canvas, int row, int col, int cols)
{
    for (int i = 0; i < cols; i++)
        join(canvas, row, col + i, (i > 0 ? EDGE_LEFT : 0u) | (i < cols - 1 ? EDGE_RIGHT : 0u));
}

void canvas_vline(struct canvas *canvas, int row, int col, int rows)
{
    for (int i = 0; i < rows; i++)
        join(canvas, row + i, col, (i > 0 ? EDGE_UP : 0u) | (i < rows - 1 ? EDGE_DOWN : 0u));
}

size_t canvas_glyph_utf8(uint32_t glyph, char *out)
{
    size_t len = glyph < 0x80 ? 1 : glyph < 0x800 ? 2 : glyph < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (glyph & 0x3f));
        glyph >>= 6;
    }
    out[0] = (char)(lead[len] | glyph);
    out[len] = '\0';
    return len;
}

void canvas_row_text(const struct canvas *canvas, int row, char *out, size_t cap)
{
    size_t used = 0, trimmed = 0;

    for (int col = 0; col < canvas->cols; col++) {
        const struct cell *cell = cell_at(canvas, row, col);
        char glyph[8];
        size_t len;

        if (!cell || cell->glyph == 0)
            continue;
        len = canvas_glyph_utf8(cell->glyph, glyph);
        if (used + len + 1 > cap)
            break;
        memcpy(out + used, glyph, len);
        used += len;
        if (cell->glyph != ' ')
            trimmed = used;
    }
    if (cap)
        out[trimmed] = '\0';
}

static const char *escape_of(enum style style)
{
    switch (style) {
    case STYLE_DIM:
        return "\x1b[2m";
    case STYLE_TITLE:
        return "\x1b[1m";
    case STYLE_FINE:
        return "\x1b[32m";
    case STYLE_HOT:
        return "\x1b[33m";
    case STYLE_SPIKE:
        return "\x1b[1;31m";
    default:
        return "";
    }
}

static void print_row(FILE *out, const struct canvas *canvas, int row, bool colour)
{
    const struct cell *cells = &canvas->cells[(size_t)row * (size_t)canvas->cols];
    int end = canvas->cols;
    unsigned style = STYLE_NORMAL;
    char glyph[8];

    while (end > 0 && cells[end - 1].glyph == ' ')
        end--;
    for (int col = 0; col < end; col++) {
        if (!cells[col].glyph)
            continue;
        if (colour && cells[col].style != style && cells[col].glyph != ' ') {
            if (style != STYLE_NORMAL)
                fputs("\x1b[0m", out);
            style = cells[col].style;
            fputs(escape_of(style), out);
        }
        canvas_glyph_utf8(cells[col].glyph, glyph);
        fputs(glyph, out);
    }
    if (style != STYLE_NORMAL)
        fputs("\x1b[0m", out);
    fputc('\n', out);
}

void canvas_print(FILE *out, const struct canvas *canvas, bool colour)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);

    /* At once: OUT may be stderr, which is not buffered, and a system call for each cell takes longer than the rest. */
    for (int row = 0; row < canvas->rows; row++)
        print_row(memory ? memory : out, canvas, row, colour);
    if (memory && !fclose(memory))
        fwrite(text, 1, len, out);
    free(text);
    fflush(out);
}
