/* SPDX-License-Identifier: MIT */
#include "symbol/symbol_table.h"

#include <stdlib.h>
#include <string.h>

void symbol_table_release(struct symbol_table *table)
{
    free(table->list);
    free(table->max_end);
    arena_release(&table->kept);
    *table = (struct symbol_table){0};
}

void symbol_table_add(struct symbol_table *table, const struct table_symbol *symbol)
{
    GROW(table->list, table->count + 1, table->cap);
    table->list[table->count++] = *symbol;
}

const char *symbol_table_keep(struct symbol_table *table, const char *name, size_t len)
{
    return arena_memdup0(&table->kept, name, len);
}

/* Of several names the plain one is what people know: free, not __libc_free or cfree. */
static int compare_names(const char *x, const char *y)
{
    size_t x_bars = strspn(x, "_"), y_bars = strspn(y, "_"), x_len = strlen(x), y_len = strlen(y);

    if (x_bars != y_bars)
        return x_bars < y_bars ? -1 : 1;
    if (x_len != y_len)
        return x_len < y_len ? -1 : 1;
    return strcmp(x, y);
}

static int compare_symbols(const void *a, const void *b)
{
    const struct table_symbol *x = a, *y = b;

    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return compare_names(x->name, y->name);
}

void symbol_table_finish(struct symbol_table *table)
{
    size_t kept = 0;
    uint64_t max_end = 0;

    if (!table->count)
        return;
    qsort(table->list, table->count, sizeof(*table->list), compare_symbols);
    for (size_t i = 0; i < table->count; i++)
        if (!kept || table->list[kept - 1].addr != table->list[i].addr)
            table->list[kept++] = table->list[i];
    table->count = kept;
    table->max_end = xreallocarray(table->max_end, kept, sizeof(*table->max_end));
    for (size_t i = 0; i < kept; i++) {
        if (table->list[i].sized && table->list[i].end > max_end)
            max_end = table->list[i].end;
        table->max_end[i] = max_end;
    }
}

/* The number of symbols that start at or before ADDR. */
static size_t count_up_to(const struct symbol_table *table, uint64_t addr)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->list[middle].addr <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct table_symbol *symbol_table_find(const struct symbol_table *table, uint64_t addr, uint64_t *lo,
                                             uint64_t *hi)
{
    size_t after = count_up_to(table, addr);
    const struct table_symbol *nearest = after ? &table->list[after - 1] : NULL;

    *lo = nearest ? nearest->addr : 0;
    *hi = after < table->count ? table->list[after].addr : UINT64_MAX;
    /* Functions may lie in functions (local labels, aliases): the one that started last is the innermost. */
    for (size_t i = after; i-- > 0 && table->max_end[i] > addr;) {
        const struct table_symbol *symbol = &table->list[i];

        if (!symbol->sized)
            continue;
        if (symbol->end > addr) {
            if (*hi > symbol->end)
                *hi = symbol->end;
            return symbol;
        }
        if (symbol->end > *lo)
            *lo = symbol->end;
    }
    if (!nearest || nearest->sized || nearest->end <= addr)
        return NULL;
    if (*hi > nearest->end)
        *hi = nearest->end;
    return nearest;
}
