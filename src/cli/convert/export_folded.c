/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"

/*
 * One line a stack: outermost;…;innermost WEIGHT. The readers split at `;`, at line breaks and at the last blank, take
 * a leading # for a comment, drop blanks at either end, and take "name 4" before a weight for two weights. All of that
 * is escaped as \xHH, what is not UTF-8 and control characters as well, and \ itself as \\.
 */

/* Whether only digits and dots follow: with a weight behind it, a second number. */
static bool begins_number(const char *name, size_t len, size_t at)
{
    size_t i = at + 1;

    while (i < len && (isdigit((unsigned char)name[i]) || name[i] == '.'))
        i++;
    return i == len;
}

static void put_name(struct export_out *out, const char *name, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)name[i];
        unsigned size = rs_utf8_char_len(name + i, len - i);
        bool blank = c == ' ' && (!i || begins_number(name, len, i));

        if (c == '\\') {
            export_put(out, "\\\\", 2);
        } else if (!size || c < ' ' || c == 127 || c == ';' || blank || (c == '#' && !i)) {
            export_putf(out, "\\x%02x", c);
            size = 1;
        } else {
            export_put(out, name + i, size);
        }
        i += size;
    }
}

int export_folded(void *export, rs_json_sink sink, void *ctx)
{
    struct export *x = export;
    struct export_out out = {.sink = sink, .ctx = ctx};
    uint64_t *amounts = xcalloc(x->tree.node_count + 1, sizeof(*amounts));

    for (size_t i = 0; i < x->sample_count; i++)
        amounts[x->samples[i].node] += x->samples[i].amount;
    for (int32_t node = 0; (size_t)node < x->tree.node_count && !out.error; node++) {
        size_t depth = amounts[node] ? export_stack(x, node) : 0;

        for (size_t i = depth; i-- > 0;) {
            size_t len;
            const char *name = export_name(x, x->stack[i], &len);

            put_name(&out, name, len);
            if (i)
                export_put(&out, ";", 1);
        }
        if (depth)
            export_putf(&out, " %llu\n", (unsigned long long)amounts[node]);
    }
    free(amounts);
    return export_end(&out);
}
