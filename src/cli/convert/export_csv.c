/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

#include <string.h>

/* The functions, a row each, heaviest first, as answer() has them. Every text is in quotes; see export_put_escaped().
 */

static void put_text(struct export_out *out, const char *text, size_t len)
{
    export_put(out, "\"", 1);
    for (const char *quote; (quote = memchr(text, '"', len)); len -= (size_t)(quote + 1 - text), text = quote + 1) {
        export_put_escaped(out, text, (size_t)(quote - text));
        export_put(out, "\"\"", 2);
    }
    export_put_escaped(out, text, len);
    export_put(out, "\"", 1);
}

static void put_id(struct export_out *out, const struct session *s, string_id id)
{
    put_text(out, strings_get(&s->strings, id), strings_len(&s->strings, id));
    export_put(out, ",", 1);
}

int export_csv(void *export, rs_json_sink sink, void *ctx)
{
    struct export *x = export;
    struct export_out out = {.sink = sink, .ctx = ctx};
    struct question question = *x->question;
    struct answer found;
    int rc;

    question.top = SIZE_MAX;
    rc = answer(x->s, &question, &found, NULL);
    if (rc)
        return rc;
    export_putf(&out, "name,module,file,line,layer,metric,unit,self,total\n");
    for (size_t i = 0; i < found.count; i++) {
        const struct frame *frame = &x->s->tree.frames[found.rows[i].frame];
        const char *layer = rs_word(WORDS_LAYER, frame->layer);
        size_t len;
        const char *name = export_name(x, x->functions.of_frame[found.rows[i].frame], &len);

        put_text(&out, name, len);
        export_put(&out, ",", 1);
        put_id(&out, x->s, frame->crate);
        put_id(&out, x->s, frame->file);
        if (frame->line)
            export_putf(&out, "%u", frame->line);
        export_putf(&out, ",%s,%s,%s,%llu,%llu\n", layer, answer_metric_name(x->metric), export_unit(x->metric),
                    (unsigned long long)found.rows[i].self, (unsigned long long)found.rows[i].total);
    }
    answer_release(&found);
    return export_end(&out);
}
