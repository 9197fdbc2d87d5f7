/* SPDX-License-Identifier: MIT */
#include "symbol/kallsyms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc_view.h"
#include "symbol/text_scan.h"

enum { LARGEST_KALLSYMS_BYTES = 256 * 1024 * 1024 };

/* `ffffffff81000000 T _text` or `ffffffffc0401000 t nf_hook\t[nf_tables]` */
static size_t parse_line(struct symbol_table *table, struct text_scan line, uint32_t rank)
{
    uint64_t addr;
    size_t len;
    const char *name;
    char type;

    if (!scan_hex(&line, &addr) || !scan_char(&line, ' ') || line.at == line.end)
        return 0;
    type = *line.at++;
    if (!addr || !strchr("tTwW", type) || !scan_char(&line, ' '))
        return 0;
    name = scan_word(&line, &len);
    if (!len)
        return 0;
    symbol_table_add(table, &(struct table_symbol){.addr = addr,
                                                   .end = UINT64_MAX,
                                                   .name = symbol_table_keep(table, name, len),
                                                   .rank = type == 'T' ? rank | 1u << 31 : rank});
    return 1;
}

size_t kallsyms_parse(struct symbol_table *table, const char *text, size_t len)
{
    struct text_scan all = {text, text + len}, line;
    /* Among names of one address the last global one is the function; the first are section marks like _stext. */
    uint32_t rank = 1;
    size_t count = 0;

    while (scan_line(&all, &line))
        count += parse_line(table, line, rank++);
    return count;
}

int kallsyms_load(struct symbol_table *table)
{
    char path[32];
    size_t len, count;
    char *text = scan_read_file(proc_path(path, sizeof(path), "kallsyms"), LARGEST_KALLSYMS_BYTES, &len);

    if (!text)
        return -errno;
    count = kallsyms_parse(table, text, len);
    free(text);
    symbol_table_finish(table);
    return (int)count;
}
