/* SPDX-License-Identifier: MIT */
#include "symbol/dwarf_index.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    DEEPEST_DIE = 512, /* nesting beyond this is a broken file */
    RESET_COST =
        2 * 1000 * 1000 /* lines, functions and scopes held before the handle is opened anew; ~100 bytes each */
};

/* Decompressed sections are held in memory as a whole; beyond this the symbol table has to do. */
static const uint64_t LARGEST_DECOMPRESSED_BYTES = (uint64_t)2 << 30;

struct scope {
    Dwarf_Die die;
    int32_t parent; /* index, -1: the function itself */
    struct dwarf_scope text;
    bool named;
};

struct scope_range {
    uint64_t lo, hi;
    uint32_t scope, depth;
};

struct function_scopes {
    struct scope *scopes; /* [0] is the function */
    size_t scope_count, scope_cap;
    struct scope_range *ranges;
    size_t range_count, range_cap;
};

struct die_range {
    uint64_t lo, hi;
    uint32_t owner; /* index of the unit, or of the function */
};

/* Ranges by start, with the largest end so far: tells a search backwards when to stop. */
struct range_table {
    struct die_range *list;
    uint64_t *max_hi;
    size_t count, cap;
};

struct unit_function {
    Dwarf_Die die;
    struct function_scopes *scopes; /* NULL: not needed yet */
};

struct unit {
    Dwarf_Die die;      /* has the ranges and the lines */
    Dwarf_Die code_die; /* has the functions: another one for split DWARF */
    bool loaded;
    struct unit_function *functions;
    size_t function_count, function_cap;
    struct range_table ranges;
    Dwarf_Lines *lines;
    size_t line_count;
    Dwarf_Files *files;
    unsigned first_file;  /* files are numbered from 0 since DWARF 5; before, 0 stood for "no file" */
    const char *comp_dir; /* NULL when not stated */
};

struct dwarf_index {
    Elf *elf;
    Dwarf *dwarf;
    struct unit *units;
    size_t unit_count, unit_cap;
    struct range_table ranges;
    uint32_t *unranged; /* units that state no addresses */
    size_t unranged_count, unranged_cap;
    uint64_t cost;
    uint64_t units_loaded; /* since the handle was opened */
    uint64_t units_read;
    char *missing; /* dwarf_index_missing() */
};

static void range_add(struct range_table *table, uint64_t lo, uint64_t hi, uint32_t owner)
{
    /* Linkers give 0 or 1 to the code that they dropped, or -1 and -2. */
    if (lo <= 1 || hi <= lo)
        return;
    GROW(table->list, table->count + 1, table->cap);
    table->list[table->count++] = (struct die_range){lo, hi, owner};
}

static int compare_ranges(const void *a, const void *b)
{
    const struct die_range *x = a, *y = b;

    if (x->lo != y->lo)
        return x->lo < y->lo ? -1 : 1;
    if (x->hi != y->hi)
        return x->hi > y->hi ? -1 : 1; /* the inner one later */
    return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static void ranges_finish(struct range_table *table)
{
    uint64_t max_hi = 0;

    if (!table->count)
        return;
    qsort(table->list, table->count, sizeof(*table->list), compare_ranges);
    table->max_hi = xreallocarray(table->max_hi, table->count, sizeof(*table->max_hi));
    for (size_t i = 0; i < table->count; i++) {
        if (table->list[i].hi > max_hi)
            max_hi = table->list[i].hi;
        table->max_hi[i] = max_hi;
    }
}

static void ranges_release(struct range_table *table)
{
    free(table->list);
    free(table->max_hi);
}

/* The range with the latest start that covers ADDR. *LO and *HI are narrowed to where it is the answer. */
static const struct die_range *range_find(const struct range_table *table, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->list[middle].lo <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < table->count && table->list[low].lo < *hi)
        *hi = table->list[low].lo;
    while (low-- > 0 && table->max_hi[low] > addr) {
        const struct die_range *range = &table->list[low];

        if (range->hi > addr) {
            if (range->lo > *lo)
                *lo = range->lo;
            if (range->hi < *hi)
                *hi = range->hi;
            return range;
        }
        if (range->hi > *lo)
            *lo = range->hi;
    }
    return NULL;
}

static size_t add_die_ranges(struct range_table *table, Dwarf_Die *die, uint32_t owner)
{
    size_t before = table->count;
    Dwarf_Addr base, lo, hi;
    ptrdiff_t offset = 0;

    while ((offset = dwarf_ranges(die, offset, &base, &lo, &hi)) > 0)
        range_add(table, lo, hi, owner);
    return table->count - before;
}

static void free_scopes(struct function_scopes *scopes)
{
    if (!scopes)
        return;
    free(scopes->scopes);
    free(scopes->ranges);
    free(scopes);
}

static void close_handle(struct dwarf_index *index)
{
    for (size_t u = 0; u < index->unit_count; u++) {
        struct unit *unit = &index->units[u];

        for (size_t f = 0; f < unit->function_count; f++)
            free_scopes(unit->functions[f].scopes);
        free(unit->functions);
        ranges_release(&unit->ranges);
    }
    free(index->units);
    free(index->unranged);
    ranges_release(&index->ranges);
    if (index->dwarf)
        dwarf_end(index->dwarf);
    *index = (struct dwarf_index){.elf = index->elf, .units_read = index->units_read, .missing = index->missing};
}

static void list_unit(struct dwarf_index *index, const Dwarf_Die *die)
{
    uint32_t number = (uint32_t)index->unit_count;
    struct unit *unit;

    GROW(index->units, index->unit_count + 1, index->unit_cap);
    unit = &index->units[index->unit_count++];
    *unit = (struct unit){.die = *die, .code_die = *die};
    if (!add_die_ranges(&index->ranges, &unit->die, number)) {
        GROW(index->unranged, index->unranged_count + 1, index->unranged_cap);
        index->unranged[index->unranged_count++] = number;
    }
}

static bool open_handle(struct dwarf_index *index)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Half version;
    uint8_t type;
    Dwarf_Die die;

    index->dwarf = dwarf_begin_elf(index->elf, DWARF_C_READ, NULL);
    if (!index->dwarf)
        return false;
    while (dwarf_get_units(index->dwarf, cu, &cu, &version, &type, &die, NULL) == 0)
        if (type == DW_UT_compile || type == DW_UT_skeleton)
            list_unit(index, &die);
    ranges_finish(&index->ranges);
    return index->unit_count > 0;
}

/* What the debug sections of ELF take when decompressed. */
static uint64_t decompressed_bytes(Elf *elf)
{
    uint64_t total = 0;
    Elf_Scn *scn = NULL;
    GElf_Shdr shdr;
    GElf_Chdr chdr;

    while ((scn = elf_nextscn(elf, scn)))
        if (gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_COMPRESSED) && gelf_getchdr(scn, &chdr)) {
            if (chdr.ch_size > LARGEST_DECOMPRESSED_BYTES)
                return UINT64_MAX;
            total += chdr.ch_size;
        }
    return total;
}

struct dwarf_index *dwarf_index_open(Elf *elf)
{
    struct dwarf_index *index;

    if (decompressed_bytes(elf) > LARGEST_DECOMPRESSED_BYTES)
        return NULL;
    index = xcalloc(1, sizeof(*index));
    index->elf = elf;
    if (!open_handle(index)) {
        dwarf_index_close(index);
        return NULL;
    }
    return index;
}

void dwarf_index_close(struct dwarf_index *index)
{
    if (!index)
        return;
    close_handle(index);
    free(index->missing);
    free(index);
}

const char *dwarf_index_missing(const struct dwarf_index *index)
{
    return index->missing;
}

uint64_t dwarf_index_units_read(const struct dwarf_index *index)
{
    return index->units_read;
}

/* Whether functions may be defined below a DIE of TAG: Rust nests them in types and in other functions. */
static bool may_hold_functions(int tag)
{
    switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
        return true;
    default:
        return false;
    }
}

static void list_functions(struct unit *unit, Dwarf_Die *parent, unsigned depth)
{
    Dwarf_Die die;

    if (depth > DEEPEST_DIE || dwarf_child(parent, &die))
        return;
    do {
        int tag = dwarf_tag(&die);

        if (tag == DW_TAG_subprogram && add_die_ranges(&unit->ranges, &die, (uint32_t)unit->function_count)) {
            GROW(unit->functions, unit->function_count + 1, unit->function_cap);
            unit->functions[unit->function_count++] = (struct unit_function){.die = die};
        }
        if (may_hold_functions(tag) && dwarf_haschildren(&die) > 0)
            list_functions(unit, &die, depth + 1);
    } while (dwarf_siblingof(&die, &die) == 0);
}

static void note_missing(struct dwarf_index *index, struct unit *unit)
{
    Dwarf_Attribute attr;
    const char *name = dwarf_formstring(dwarf_attr(&unit->die, DW_AT_dwo_name, &attr));

    if (!name)
        name = dwarf_formstring(dwarf_attr(&unit->die, DW_AT_GNU_dwo_name, &attr));
    if (!index->missing)
        index->missing = xstrdup(name ? name : ".dwo");
}

static void load_unit(struct dwarf_index *index, struct unit *unit)
{
    Dwarf_Half version = 0;
    Dwarf_Die split;
    Dwarf_Attribute attr;
    size_t file_count;
    uint8_t type;

    unit->loaded = true;
    index->units_loaded++;
    index->units_read++;
    if (dwarf_cu_info(unit->die.cu, &version, &type, NULL, &split, NULL, NULL, NULL) == 0 && type == DW_UT_skeleton) {
        if (dwarf_tag(&split) == DW_TAG_compile_unit)
            unit->code_die = split;
        else
            note_missing(index, unit);
    }
    list_functions(unit, &unit->code_die, 0);
    ranges_finish(&unit->ranges);
    if (dwarf_getsrclines(&unit->die, &unit->lines, &unit->line_count))
        unit->line_count = 0;
    if (dwarf_getsrcfiles(&unit->code_die, &unit->files, &file_count))
        unit->files = NULL;
    unit->first_file = version < 5;
    unit->comp_dir = dwarf_formstring(dwarf_attr(&unit->die, DW_AT_comp_dir, &attr));
    index->cost += unit->line_count + unit->function_count;
}

static void list_scopes(struct function_scopes *list, Dwarf_Die *parent_die, int32_t parent, uint32_t depth)
{
    Dwarf_Die die;

    if (depth > DEEPEST_DIE || dwarf_child(parent_die, &die))
        return;
    do {
        int tag = dwarf_tag(&die);
        int32_t scope = parent;

        if (tag == DW_TAG_inlined_subroutine) {
            Dwarf_Addr base, lo, hi;
            ptrdiff_t offset = 0;

            scope = (int32_t)list->scope_count;
            GROW(list->scopes, list->scope_count + 1, list->scope_cap);
            list->scopes[list->scope_count++] = (struct scope){.die = die, .parent = parent};
            while ((offset = dwarf_ranges(&die, offset, &base, &lo, &hi)) > 0) {
                GROW(list->ranges, list->range_count + 1, list->range_cap);
                list->ranges[list->range_count++] = (struct scope_range){lo, hi, (uint32_t)scope, depth};
            }
        } else if (tag != DW_TAG_lexical_block) {
            continue;
        }
        if (dwarf_haschildren(&die) > 0)
            list_scopes(list, &die, scope, depth + 1);
    } while (dwarf_siblingof(&die, &die) == 0);
}

static struct function_scopes *function_scopes(struct dwarf_index *index, struct unit_function *function)
{
    struct function_scopes *list = function->scopes;

    if (list)
        return list;
    list = function->scopes = xcalloc(1, sizeof(*list));
    GROW(list->scopes, 1, list->scope_cap);
    list->scopes[list->scope_count++] = (struct scope){.die = function->die, .parent = -1};
    if (dwarf_haschildren(&function->die) > 0)
        list_scopes(list, &function->die, 0, 1);
    index->cost += list->scope_count + list->range_count;
    return list;
}

/* The deepest scope at ADDR. Every range narrows [*LO, *HI) to where the same ranges cover it. */
static uint32_t innermost_scope(const struct function_scopes *list, uint64_t addr, uint64_t *lo, uint64_t *hi)
{
    uint32_t best = 0, best_depth = 0;

    for (size_t i = 0; i < list->range_count; i++) {
        const struct scope_range *range = &list->ranges[i];

        if (range->hi <= addr) {
            if (range->hi > *lo)
                *lo = range->hi;
        } else if (range->lo > addr) {
            if (range->lo < *hi)
                *hi = range->lo;
        } else {
            if (range->lo > *lo)
                *lo = range->lo;
            if (range->hi < *hi)
                *hi = range->hi;
            if (range->depth > best_depth) {
                best = range->scope;
                best_depth = range->depth;
            }
        }
    }
    return best;
}

static const char *linkage_name(Dwarf_Die *die)
{
    Dwarf_Attribute attr;
    const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attr));

    return name ? name : dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr));
}

static bool attr_number(Dwarf_Die *die, unsigned name, uint64_t *number)
{
    Dwarf_Attribute attr;
    Dwarf_Word value;

    if (dwarf_formudata(dwarf_attr(die, name, &attr), &value))
        return false;
    *number = value;
    return true;
}

/* Names SCOPE, and the place it was called from. */
static void name_scope(const struct unit *unit, struct scope *scope)
{
    uint64_t number;

    scope->named = true;
    scope->text.name = dwarf_diename(&scope->die);
    scope->text.linkage = linkage_name(&scope->die);
    scope->text.inlined = scope->parent >= 0;
    if (!scope->text.inlined)
        return;
    if (unit->files && attr_number(&scope->die, DW_AT_call_file, &number) && number >= unit->first_file)
        scope->text.file = dwarf_filesrc(unit->files, number, NULL, NULL);
    if (attr_number(&scope->die, DW_AT_call_line, &number))
        scope->text.line = (uint32_t)number;
}

/* File and line of ADDR; [*LO, *HI) is narrowed to the rows that it stands between. */
static const char *find_line(const struct unit *unit, uint64_t addr, uint32_t *line, uint64_t *lo, uint64_t *hi)
{
    size_t low = 0, high = unit->line_count;
    Dwarf_Addr row_addr;
    Dwarf_Line *row;
    bool end;
    int number;

    *line = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (dwarf_lineaddr(dwarf_onesrcline(unit->lines, middle), &row_addr))
            return NULL;
        if (row_addr <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < unit->line_count && !dwarf_lineaddr(dwarf_onesrcline(unit->lines, low), &row_addr) && row_addr < *hi)
        *hi = row_addr;
    if (!low)
        return NULL;
    row = dwarf_onesrcline(unit->lines, low - 1);
    if (!dwarf_lineaddr(row, &row_addr) && row_addr > *lo)
        *lo = row_addr;
    if (dwarf_lineendsequence(row, &end) || end || dwarf_lineno(row, &number))
        return NULL;
    *line = number > 0 ? (uint32_t)number : 0;
    return dwarf_linesrc(row, NULL, NULL);
}

/* Fills CHAIN from scope NUMBER outwards. Each function's place is where the function inside it was called. */
static void fill_chain(const struct unit *unit, struct function_scopes *list, uint32_t number, uint64_t addr,
                       struct dwarf_chain *chain)
{
    uint32_t line;
    const char *file = find_line(unit, addr, &line, &chain->lo, &chain->hi);

    for (int32_t at = (int32_t)number; at >= 0 && chain->count <= DWARF_INDEX_MAX_DEPTH;) {
        struct scope *scope = &list->scopes[at];
        struct dwarf_scope *out = &chain->scopes[chain->count++];

        if (!scope->named)
            name_scope(unit, scope);
        *out = scope->text;
        out->file = file;
        out->dir = file && file[0] != '/' ? unit->comp_dir : NULL;
        out->line = line;
        file = scope->text.file;
        line = scope->text.line;
        at = scope->parent;
    }
}

/* A place without a function. */
static bool fill_line(const struct unit *unit, uint64_t addr, struct dwarf_chain *chain)
{
    struct dwarf_scope *out = &chain->scopes[0];

    *out = (struct dwarf_scope){0};
    out->file = find_line(unit, addr, &out->line, &chain->lo, &chain->hi);
    if (!out->file)
        return false;
    out->dir = out->file[0] != '/' ? unit->comp_dir : NULL;
    chain->partial = true;
    chain->count = 1;
    return true;
}

/* Units that state no addresses: their functions go straight into the table. */
static void range_unranged(struct dwarf_index *index)
{
    for (size_t i = 0; i < index->unranged_count; i++) {
        struct unit *unit = &index->units[index->unranged[i]];

        if (!unit->loaded)
            load_unit(index, unit);
        for (size_t r = 0; r < unit->ranges.count; r++)
            range_add(&index->ranges, unit->ranges.list[r].lo, unit->ranges.list[r].hi, index->unranged[i]);
    }
    index->unranged_count = 0;
    ranges_finish(&index->ranges);
}

static struct unit *find_unit(struct dwarf_index *index, uint64_t addr)
{
    uint64_t lo = 0, hi = UINT64_MAX;
    const struct die_range *range = range_find(&index->ranges, addr, &lo, &hi);

    if (!range && index->unranged_count) {
        range_unranged(index);
        range = range_find(&index->ranges, addr, &lo, &hi);
    }
    return range ? &index->units[range->owner] : NULL;
}

bool dwarf_index_find(struct dwarf_index *index, uint64_t addr, struct dwarf_chain *chain)
{
    struct unit *unit = find_unit(index, addr);
    const struct die_range *range;
    struct function_scopes *scopes;

    if (unit && !unit->loaded && index->units_loaded && index->cost > RESET_COST) {
        close_handle(index);
        unit = open_handle(index) ? find_unit(index, addr) : NULL;
    }
    if (!unit)
        return false;
    if (!unit->loaded)
        load_unit(index, unit);
    chain->lo = 0;
    chain->hi = UINT64_MAX;
    chain->count = 0;
    chain->partial = false;
    range = range_find(&unit->ranges, addr, &chain->lo, &chain->hi);
    if (!range)
        return fill_line(unit, addr, chain);
    scopes = function_scopes(index, &unit->functions[range->owner]);
    fill_chain(unit, scopes, innermost_scope(scopes, addr, &chain->lo, &chain->hi), addr, chain);
    return chain->count > 0;
}
