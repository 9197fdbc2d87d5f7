/* SPDX-License-Identifier: MIT */
/* The first byte picks a reader of symbols that others wrote: cache file, perf map, jitdump, kallsyms, ELF file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "symbol/cache.h"
#include "symbol/jit.h"
#include "symbol/kallsyms.h"
#include "symbol/symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What answers must hold: lookups stay inside, texts end. */
static void use_answers(const struct answers *answers)
{
    for (size_t i = 0; i < answers->range_count; i++) {
        const struct answer_range *range = answers_find(answers, answers->ranges[i].lo);

        if (range != &answers->ranges[i] || range->first + range->count > answers->frame_count)
            abort();
        for (uint32_t f = 0; f < range->count; f++)
            if (strlen(answers->frames[range->first + f].name) > (size_t)1 << 40)
                abort();
    }
}

/* A checksum would stop the fuzzer at the door, so the file gets the right one. */
static void fuzz_cache(const uint8_t *data, size_t size)
{
    enum { CRC_AT = 16, HEADER = 32 };
    uint8_t *copy = malloc(size + 1);
    struct answers answers;
    uint64_t identity = 0;
    uint32_t crc;

    memcpy(copy, data, size);
    if (size >= HEADER) {
        memcpy(&identity, copy + 8, sizeof(identity));
        crc = (uint32_t)crc32(0, copy + HEADER, (uInt)(size - HEADER));
        memcpy(copy + CRC_AT, &crc, sizeof(crc));
    }
    if (cache_parse(copy, size, identity, &answers)) {
        use_answers(&answers);
        answers_release(&answers);
    }
    free(copy);
}

static void use_table(struct symbol_table *table)
{
    uint64_t lo, hi;

    symbol_table_finish(table);
    for (size_t i = 0; i < table->count; i++) {
        uint64_t addr = table->list[i].addr;
        const struct table_symbol *found = symbol_table_find(table, addr, &lo, &hi);

        if (found && (lo > addr || hi <= addr || !found->name))
            abort();
    }
    symbol_table_release(table);
}

static void fuzz_elf(const uint8_t *data, size_t size)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){.debug_root = "/nonexistent"});
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct symbol_module *module = NULL;
    const struct symbol_frame *frames;

    if (fd >= 0 && write(fd, data, size) == (ssize_t)size)
        module = symbols_open(symbols, &(struct symbol_source){.path = "/fuzz", .fd = fd}, NULL);
    for (uint64_t addr = 0; module && addr < 0x3000; addr += 0x15)
        if (!symbol_resolve(module, addr, &frames) || !frames[0].name ||
            !symbol_resolve(module, 0x400000 + addr, &frames) || !frames[0].name)
            abort();
    symbols_free(symbols);
    if (fd >= 0)
        close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct symbol_table table = {0};

    if (!size)
        return 0;
    switch (data[0]) {
    case 'c':
        fuzz_cache(data + 1, size - 1);
        break;
    case 'm':
        jit_parse_map(&table, (const char *)data + 1, size - 1);
        break;
    case 'd':
        jit_parse_dump(&table, data + 1, size - 1);
        break;
    case 'k':
        kallsyms_parse(&table, (const char *)data + 1, size - 1);
        break;
    case 'e':
        fuzz_elf(data + 1, size - 1);
        break;
    default:
        break;
    }
    use_table(&table);
    return 0;
}
