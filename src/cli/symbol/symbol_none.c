/* SPDX-License-Identifier: MIT */
/* Systems whose object files are not read here: every module is refused, and frames keep the names they came with. */
#include "symbol/symbol.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

struct symbols {
    struct symbols_stats stats;
};

struct symbols *symbols_new(const struct symbols_options *options)
{
    (void)options;
    return xcalloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *symbols)
{
    free(symbols);
}

struct symbol_module *symbols_open(struct symbols *symbols, const struct symbol_source *source, struct rs_err *err)
{
    (void)symbols;
    rs_err_set(err, -ENOTSUP, "%s: symbols are not read on this system", source->path);
    return NULL;
}

const char *symbol_module_build_id(const struct symbol_module *module)
{
    (void)module;
    return "";
}

const char *symbol_module_arch(const struct symbol_module *module)
{
    (void)module;
    return "";
}

enum symbol_kind symbol_module_kind(const struct symbol_module *module)
{
    (void)module;
    return SYMBOLS_FROM_NOTHING;
}

const char *symbol_module_lacks(struct symbol_module *module)
{
    (void)module;
    return NULL;
}

size_t symbol_resolve(struct symbol_module *module, uint64_t addr, const struct symbol_frame **frames)
{
    (void)module;
    (void)addr;
    *frames = NULL;
    return 0;
}

void symbol_module_finish(struct symbol_module *module)
{
    (void)module;
}

struct symbols_stats symbols_stats(const struct symbols *symbols)
{
    return symbols->stats;
}
