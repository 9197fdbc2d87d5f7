/* SPDX-License-Identifier: MIT */
#include "core/session_words.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/scopes.h"
#include "suite.h"

/* docs/session.schema.json is the authority; what C writes and reads comes from core/session_words.h. */
static cJSON *schema;

static void read_schema(void)
{
    FILE *file = fopen(SCHEMA_FILE, "re");
    static char text[1 << 20];
    size_t len;

    ck_assert_msg(file != NULL, "cannot open %s", SCHEMA_FILE);
    len = fread(text, 1, sizeof(text), file);
    fclose(file);
    schema = cJSON_ParseWithLength(text, len);
    ck_assert(cJSON_IsObject(schema));
}

/* The part of the schema at PATH, members separated by '/'. */
static const cJSON *part(const char *path)
{
    char copy[256], *rest = copy, *step;
    const cJSON *at;

    if (!schema)
        read_schema();
    at = schema;
    snprintf(copy, sizeof(copy), "%s", path);
    while (at && (step = strsep(&rest, "/")))
        at = cJSON_GetObjectItemCaseSensitive(at, step);
    ck_assert_msg(at != NULL, "the schema has no %s", path);
    return at;
}

static void check_words(const char *path, enum rs_words words)
{
    const cJSON *list = part(path), *item;
    int with_word = 0;

    cJSON_ArrayForEach(item, list)
    {
        const char *word = cJSON_GetStringValue(item);
        unsigned value = rs_word_value(words, word, strlen(word));

        ck_assert_msg(!strcmp(rs_word(words, value), word), "%s has %s, which C does not know", path, word);
    }
    for (unsigned i = 0; i < rs_word_count(words); i++)
        with_word += *rs_word(words, i) != '\0';
    ck_assert_msg(with_word == cJSON_GetArraySize(list), "C has %d words, %s %d", with_word, path,
                  cJSON_GetArraySize(list));
}

START_TEST(every_enumeration_has_the_words_of_the_schema)
{
    check_words("properties/meta/properties/stop_reason/enum", WORDS_STOP_REASON);
    check_words("properties/summary/properties/heap_source/enum", WORDS_HEAP_SOURCE);
    check_words("properties/functions/items/properties/source/enum", WORDS_FUNCTION_SOURCE);
    check_words("properties/modules/properties/symbols/items/enum", WORDS_MODULE_SYMBOLS);
    check_words("properties/processes/items/properties/shim/properties/status/enum", WORDS_SHIM_STATUS);
    check_words("properties/scopes/properties/clocks/items/properties/clock/enum", WORDS_SCOPE_CLOCK);
    check_words("properties/scopes/properties/clocks/items/properties/mode/enum", WORDS_SCOPE_MODE);
    check_words("properties/diagnostics/properties/stack_backend/enum", WORDS_STACK_BACKEND);
    check_words("properties/diagnostics/properties/stack_event/enum", WORDS_STACK_EVENT);
    check_words("properties/diagnostics/properties/alloc_backend/enum", WORDS_ALLOC_BACKEND);
    check_words("$defs/layer/enum", WORDS_LAYER);
}
END_TEST

static void check_key(const char *properties, const char *key)
{
    ck_assert_msg(cJSON_HasObjectItem(part(properties), key), "%s has no %s", properties, key);
}

static void check_columns(const char *section, const char *const *columns)
{
    char path[128];

    snprintf(path, sizeof(path), "properties/%s/properties", section);
    for (; *columns; columns++)
        check_key(path, *columns);
}

static void check_table(const struct rs_row_table *table)
{
    const char *const columns[] = {"start", table->key, table->values[0], table->values[1], table->values[2], NULL};

    check_columns(table->section, columns);
    if (table->thread)
        check_columns(table->section, (const char *const[]){table->thread, NULL});
}

START_TEST(every_column_stands_in_the_schema)
{
    check_columns("modules", rs_module_columns);
    check_columns("frames", rs_frame_columns);
    check_columns("nodes", rs_node_columns);
    check_columns("allocations", rs_allocation_columns);
    check_table(&rs_process_table);
    check_table(&rs_cpu_table);
    check_table(&rs_offcpu_table);
    check_table(&rs_alloc_table);
    for (size_t i = 0; i < RS_TIMELINE_COLUMNS; i++)
        check_key("properties/timeline/properties", rs_timeline_columns[i].key);
    for (size_t i = 0; i < RS_SAMPLE_COLUMNS; i++)
        check_key("properties/samples/items/properties", rs_sample_columns[i].key);
    for (size_t i = 0; i < SUMMARY_FIGURES; i++)
        check_key("properties/summary/properties", rs_summary_keys[i]);
    for (size_t i = 0; i < RS_SCOPE_COLUMNS; i++)
        check_key("properties/scopes/properties", rs_scope_columns[i].key);
}
END_TEST

/* True when KEY is one of the COUNT names that begin STRIDE bytes apart at NAMES. */
static bool is_one_of(const char *key, const void *names, size_t count, size_t stride)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(*(const char *const *)((const char *)names + i * stride), key))
            return true;
    return false;
}

START_TEST(what_the_schema_requires_is_in_the_tables)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, part("properties/frames/required")) ck_assert_msg(
        is_one_of(item->valuestring, rs_frame_columns, FRAMES_COLUMNS, sizeof(char *)), "frames.%s", item->valuestring);
    cJSON_ArrayForEach(item, part("properties/modules/required"))
        ck_assert_msg(is_one_of(item->valuestring, rs_module_columns, MODULES_COLUMNS, sizeof(char *)), "modules.%s",
                      item->valuestring);
    cJSON_ArrayForEach(item, part("properties/summary/required"))
        ck_assert_msg(!strcmp(item->valuestring, "heap_source") ||
                          is_one_of(item->valuestring, rs_summary_keys, SUMMARY_FIGURES, sizeof(char *)),
                      "summary.%s", item->valuestring);
}
END_TEST

START_TEST(a_word_that_is_none_is_the_first_value)
{
    ck_assert_uint_eq(rs_word_value(WORDS_LAYER, "kernels", 7), LAYER_UNKNOWN);
    ck_assert_uint_eq(rs_word_value(WORDS_LAYER, "kernels", 6), LAYER_KERNEL);
    ck_assert_uint_eq(rs_word_value(WORDS_STACK_EVENT, "", 0), STACK_EVENT_NONE);
    ck_assert_str_eq(rs_word(WORDS_STACK_EVENT, STACK_EVENT_NONE), "");
    ck_assert_str_eq(rs_word(WORDS_LAYER, 99), "");
}
END_TEST

SUITE("session_words", every_enumeration_has_the_words_of_the_schema, every_column_stands_in_the_schema,
      what_the_schema_requires_is_in_the_tables, a_word_that_is_none_is_the_first_value)
