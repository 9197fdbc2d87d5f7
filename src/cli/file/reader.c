/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int reader_broken(struct session_reader *r, const char *what)
{
    return rs_err_set(r->err, -EINVAL, "this RustScope session is damaged: %s is broken or cut off", what);
}

bool reader_section(const struct session_reader *r, const char *key, struct json_slice *value)
{
    for (size_t i = 0; i < r->section_count; i++)
        if (json_slice_is(r->sections[i].key, key)) {
            *value = r->sections[i].value;
            return true;
        }
    return false;
}

/* -- single objects, by cJSON -- */

double item_number(const cJSON *object, const char *key, double missing)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : missing;
}

uint64_t item_uint(const cJSON *object, const char *key)
{
    double value = item_number(object, key, 0);

    return value > 0 && value < 1.8e19 ? (uint64_t)value : 0;
}

int64_t item_int(const cJSON *object, const char *key, int64_t missing)
{
    double value = item_number(object, key, (double)missing);

    return value > -9.2e18 && value < 9.2e18 ? (int64_t)value : missing;
}

int item_int32(const cJSON *object, const char *key, int missing)
{
    double value = item_number(object, key, missing);

    return value >= INT32_MIN && value <= INT32_MAX ? (int)value : missing;
}

string_id reader_text(struct session_reader *r, const cJSON *item)
{
    size_t len;

    if (!cJSON_IsString(item))
        return 0;
    len = rs_json_text_decode(item->valuestring, strlen(item->valuestring));
    return strings_add(&r->s->strings, item->valuestring, len);
}

string_id item_text(struct session_reader *r, const cJSON *object, const char *key)
{
    return reader_text(r, cJSON_GetObjectItemCaseSensitive(object, key));
}

uint64_t item_at_ns(const struct session_reader *r, const cJSON *object, const char *key)
{
    double ms = item_number(object, key, NAN) - r->start_ms;

    return ms > 0 && ms < 1e13 ? (uint64_t)(ms * 1e6 + 0.5) : 0;
}

uint64_t item_bytes(const cJSON *object, const char *key)
{
    double mb = item_number(object, key, 0);

    return mb > 0 && mb < 1e13 ? (uint64_t)(mb * 1e6 + 0.5) : 0;
}

uint64_t item_ns(const cJSON *object, const char *key)
{
    double ms = item_number(object, key, 0);

    return ms > 0 && ms < 1e13 ? (uint64_t)(ms * 1e6 + 0.5) : 0;
}

unsigned item_word(const cJSON *object, const char *key, enum rs_words words)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text ? rs_word_value(words, text, strlen(text)) : 0;
}

size_t item_texts(struct session_reader *r, const cJSON *object, const char *key, string_id **list)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(object, key);
    const cJSON *item;
    size_t count = 0;

    *list = xcalloc((size_t)cJSON_GetArraySize(array), sizeof(**list));
    cJSON_ArrayForEach(item, array)(*list)[count++] = reader_text(r, item);
    return count;
}

int reader_object(struct session_reader *r, const char *key, reader_object_fn read)
{
    struct json_slice value;
    cJSON *object;
    int rc;

    if (!reader_section(r, key, &value))
        return 0;
    object = cJSON_ParseWithLength(value.text, value.len);
    rc = cJSON_IsObject(object) ? read(r, object) : reader_broken(r, key);
    cJSON_Delete(object);
    return rc;
}

int reader_objects(struct session_reader *r, const char *key, reader_object_fn read)
{
    struct json_slice section, value;
    struct json_scan scan;
    int rc = 0;

    if (!reader_section(r, key, &section))
        return 0;
    if (!json_scan_begin(&scan, section, '['))
        return reader_broken(r, key);
    while (!rc && json_scan_next(&scan, NULL, &value)) {
        cJSON *object = cJSON_ParseWithLength(value.text, value.len);

        rc = cJSON_IsObject(object) ? read(r, object) : reader_broken(r, key);
        cJSON_Delete(object);
    }
    return rc ? rc : scan.broken ? reader_broken(r, key) : 0;
}

/* -- columns -- */

bool slice_member(struct json_slice object, const char *key, struct json_slice *value)
{
    struct json_slice name;
    struct json_scan scan;

    if (!json_scan_begin(&scan, object, '{'))
        return false;
    while (json_scan_next(&scan, &name, value))
        if (json_slice_is(name, key))
            return true;
    return false;
}

int64_t slice_numbers(struct json_slice object, const char *key, double **numbers)
{
    struct json_slice array, value;
    struct json_scan scan;
    size_t count = 0, cap = 0;

    *numbers = NULL;
    if (!slice_member(object, key, &array) || !json_scan_begin(&scan, array, '['))
        return -1;
    while (json_scan_next(&scan, NULL, &value)) {
        GROW(*numbers, count + 1, cap);
        if (!json_scan_number(value, &(*numbers)[count++]))
            scan.broken = true;
    }
    if (!scan.broken)
        return (int64_t)count;
    free(*numbers);
    *numbers = NULL;
    return -1;
}

int table_open(struct session_reader *r, const char *section, const char *first, struct table *table)
{
    struct json_slice array;
    int64_t count;

    *table = (struct table){0};
    if (!reader_section(r, section, &table->section))
        return 0;
    if (!slice_member(table->section, first, &array))
        return 0;
    count = json_scan_count(array);
    if (count < 0)
        return reader_broken(r, section);
    table->count = (size_t)count;
    return 0;
}

int64_t *table_ints(const struct table *table, const char *key, double min, double max)
{
    int64_t *values = xcalloc(table->count, sizeof(*values));
    double *numbers;
    int64_t count = slice_numbers(table->section, key, &numbers);
    struct json_slice ignored;

    if (count < 0 && !slice_member(table->section, key, &ignored))
        return values;
    if (count != (int64_t)table->count)
        goto fail;
    for (size_t i = 0; i < table->count; i++) {
        if (!(numbers[i] >= min && numbers[i] <= max))
            goto fail;
        values[i] = (int64_t)numbers[i];
    }
    free(numbers);
    return values;
fail:
    free(numbers);
    free(values);
    return NULL;
}

int64_t *table_words(const struct table *table, const char *key, enum rs_words words)
{
    int64_t *values = xcalloc(table->count, sizeof(*values));
    struct json_slice array, value;
    struct json_scan scan;
    size_t count = 0;

    if (!slice_member(table->section, key, &array) || !json_scan_begin(&scan, array, '['))
        return values;
    while (count < table->count && json_scan_next(&scan, NULL, &value))
        values[count++] = value.len >= 2 ? rs_word_value(words, value.text + 1, value.len - 2) : 0;
    return values;
}

string_id reader_name(const struct session_reader *r, int64_t id)
{
    return id >= 0 && (size_t)id < r->name_count ? r->names[id] : 0;
}

int reader_interval(struct session_reader *r, const char *section, struct json_slice object, uint64_t *interval_ns)
{
    struct json_slice value;
    double interval_ms;

    if (!slice_member(object, "interval_ms", &value) || !json_scan_number(value, &interval_ms) ||
        !(interval_ms >= 1 && interval_ms < 1e12))
        return reader_broken(r, section);
    *interval_ns = (uint64_t)interval_ms * 1000000;
    return 0;
}
