/* SPDX-License-Identifier: MIT */
/* bench_symbols MODULE: resolves the hexadecimal addresses on stdin; frames on stdout with -v. No cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/symbol.h"

int main(int argc, char **argv)
{
    bool verbose = argc > 2 && !strcmp(argv[2], "-v");
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    struct symbol_module *module;
    const struct symbol_frame *frames;
    struct rs_err err = {{0}};
    size_t count, total = 0;
    char line[64];

    module = argc > 1 ? symbols_open(symbols, &(struct symbol_source){.path = argv[1], .fd = -1}, &err) : NULL;
    if (!module) {
        fprintf(stderr, "bench_symbols: %s\n", argc > 1 ? err.text : "usage: bench_symbols MODULE [-v] <ADDRESSES");
        symbols_free(symbols);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin)) {
        count = symbol_resolve(module, strtoull(line, NULL, 16), &frames);
        total += count;
        for (size_t i = 0; verbose && i < count; i++)
            printf("%s %s:%u\n", frames[i].name, frames[i].file, frames[i].line);
    }
    printf("%zu frames\n", total);
    symbols_free(symbols);
    return 0;
}
