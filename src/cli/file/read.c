/* SPDX-License-Identifier: MIT */
#include "file/session_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "file/scan.h"

/*
 * Reading a session back. One pass notes where each section is; then they are read in an order in which everything that
 * is referred to is there first. Columns go straight from the text into arrays; single objects go through cJSON. Every
 * index is checked against what it points into, so that nobody behind this file needs to.
 */

enum { MAX_SECTIONS = 64 };
static const uint64_t MOST_INFLATED_BYTES = 4ull << 30;

struct reader {
    struct session *s;
    struct rs_err *err;
    struct {
        struct json_slice key, value;
    } sections[MAX_SECTIONS];
    size_t section_count;
    string_id *names; /* the file's string ids to ours */
    size_t name_count;
    double start_ms;
};

static int broken(struct reader *r, const char *what)
{
    return rs_err_set(r->err, -EINVAL, "this is no whole RustScope session: %s is broken or cut off", what);
}

static bool find_section(const struct reader *r, const char *key, struct json_slice *value)
{
    for (size_t i = 0; i < r->section_count; i++)
        if (json_slice_is(r->sections[i].key, key)) {
            *value = r->sections[i].value;
            return true;
        }
    return false;
}

/* -- single objects, by cJSON ------------------------------------------------------------------------------------ */

static double number(const cJSON *object, const char *key, double missing)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : missing;
}

static uint64_t whole(const cJSON *object, const char *key)
{
    double value = number(object, key, 0);

    return value > 0 && value < 1.8e19 ? (uint64_t)value : 0;
}

static int64_t whole_signed(const cJSON *object, const char *key, int64_t missing)
{
    double value = number(object, key, (double)missing);

    return value > -9.2e18 && value < 9.2e18 ? (int64_t)value : missing;
}

static int small_int(const cJSON *object, const char *key, int missing)
{
    double value = number(object, key, missing);

    return value >= INT32_MIN && value <= INT32_MAX ? (int)value : missing;
}

static string_id item_name(struct reader *r, const cJSON *item)
{
    size_t len;

    if (!cJSON_IsString(item))
        return 0;
    len = rs_json_text_decode(item->valuestring, strlen(item->valuestring));
    return strings_add(&r->s->strings, item->valuestring, len);
}

static string_id name(struct reader *r, const cJSON *object, const char *key)
{
    return item_name(r, cJSON_GetObjectItemCaseSensitive(object, key));
}

static uint64_t at_from_ts(const struct reader *r, const cJSON *object, const char *key)
{
    double ms = number(object, key, NAN) - r->start_ms;

    return ms > 0 && ms < 1e13 ? (uint64_t)(ms * 1e6 + 0.5) : 0;
}

static uint64_t bytes_from_mb(const cJSON *object, const char *key)
{
    double mb = number(object, key, 0);

    return mb > 0 && mb < 1e13 ? (uint64_t)(mb * 1e6 + 0.5) : 0;
}

static uint64_t ns_from_ms(const cJSON *object, const char *key)
{
    double ms = number(object, key, 0);

    return ms > 0 && ms < 1e13 ? (uint64_t)(ms * 1e6 + 0.5) : 0;
}

static unsigned name_index(const cJSON *object, const char *key, const char *const *names, size_t count)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    for (unsigned i = 0; cJSON_IsString(item) && i < count; i++)
        if (names[i] && !strcmp(names[i], item->valuestring))
            return i;
    return 0;
}
#define NAME_INDEX(object, key, names) name_index(object, key, names, sizeof(names) / sizeof(*(names)))

static size_t name_list(struct reader *r, const cJSON *object, const char *key, string_id **list)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(object, key);
    const cJSON *item;
    size_t count = 0;

    *list = xcalloc((size_t)cJSON_GetArraySize(array), sizeof(**list));
    cJSON_ArrayForEach(item, array)(*list)[count++] = item_name(r, item);
    return count;
}

typedef int (*object_reader)(struct reader *r, const cJSON *object);

/* Reads the section KEY, one object; absent is fine. */
static int read_object(struct reader *r, const char *key, object_reader read)
{
    struct json_slice value;
    cJSON *object;
    int rc;

    if (!find_section(r, key, &value))
        return 0;
    object = cJSON_ParseWithLength(value.text, value.len);
    rc = cJSON_IsObject(object) ? read(r, object) : broken(r, key);
    cJSON_Delete(object);
    return rc;
}

/* Reads the section KEY, an array of objects, one at a time. */
static int read_objects(struct reader *r, const char *key, object_reader read)
{
    struct json_slice section, value;
    struct json_scan scan;
    int rc = 0;

    if (!find_section(r, key, &section))
        return 0;
    if (!json_scan_begin(&scan, section, '['))
        return broken(r, key);
    while (!rc && json_scan_next(&scan, NULL, &value)) {
        cJSON *object = cJSON_ParseWithLength(value.text, value.len);

        rc = cJSON_IsObject(object) ? read(r, object) : broken(r, key);
        cJSON_Delete(object);
    }
    return rc ? rc : scan.broken ? broken(r, key) : 0;
}

/* -- columns ---------------------------------------------------------------------------------------------------- */

static bool find_member(struct json_slice object, const char *key, struct json_slice *value)
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

/* The column KEY of OBJECT as numbers, COUNT of them; -1 when there is no such column, or a broken one. */
static int64_t column(struct json_slice object, const char *key, double **numbers)
{
    struct json_slice array, value;
    struct json_scan scan;
    size_t count = 0, cap = 0;

    *numbers = NULL;
    if (!find_member(object, key, &array) || !json_scan_begin(&scan, array, '['))
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

/* Columns of one section, of one length; missing ones are zero. */
struct table {
    struct json_slice section;
    size_t count;
};

static int table_open(struct reader *r, const char *section, const char *first, struct table *table)
{
    struct json_slice array;
    int64_t count;

    *table = (struct table){0};
    if (!find_section(r, section, &table->section))
        return 0;
    if (!find_member(table->section, first, &array))
        return 0;
    count = json_scan_count(array);
    if (count < 0)
        return broken(r, section);
    table->count = (size_t)count;
    return 0;
}

/* The whole-number column KEY, each in [MIN, MAX]; zeros when the file has none. NULL when it is broken. */
static int64_t *table_ints(const struct table *table, const char *key, double min, double max)
{
    int64_t *values = xcalloc(table->count, sizeof(*values));
    double *numbers;
    int64_t count = column(table->section, key, &numbers);
    struct json_slice ignored;

    if (count < 0 && !find_member(table->section, key, &ignored))
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

/* The column KEY of short words, as the indices that FROM_NAME gives them. */
static int64_t *table_words(const struct table *table, const char *key, unsigned (*from_name)(const char *name))
{
    int64_t *values = xcalloc(table->count, sizeof(*values));
    struct json_slice array, value;
    struct json_scan scan;
    size_t count = 0;

    if (!find_member(table->section, key, &array) || !json_scan_begin(&scan, array, '['))
        return values;
    while (count < table->count && json_scan_next(&scan, NULL, &value)) {
        char word[16] = "";

        if (value.len >= 2 && value.len - 2 < sizeof(word))
            memcpy(word, value.text + 1, value.len - 2);
        values[count++] = from_name(word);
    }
    return values;
}

static unsigned layer_index(const char *text)
{
    return layer_from_name(text);
}

static unsigned symbols_index(const char *text)
{
    return module_symbols_from_name(text);
}

static string_id our_name(const struct reader *r, int64_t id)
{
    return id >= 0 && (size_t)id < r->name_count ? r->names[id] : 0;
}

static int read_strings(struct reader *r)
{
    struct json_slice section, value;
    struct json_scan scan;
    size_t cap = 0;

    if (!find_section(r, "strings", &section))
        return 0;
    if (!json_scan_begin(&scan, section, '['))
        return broken(r, "strings");
    while (json_scan_next(&scan, NULL, &value)) {
        cJSON *item = cJSON_ParseWithLength(value.text, value.len);

        if (!cJSON_IsString(item))
            scan.broken = true;
        GROW(r->names, r->name_count + 1, cap);
        r->names[r->name_count++] = item_name(r, item);
        cJSON_Delete(item);
    }
    return scan.broken ? broken(r, "strings") : 0;
}

static int read_modules(struct reader *r)
{
    struct calltree *tree = &r->s->tree;
    int64_t *path = NULL, *name_ids = NULL, *build_id = NULL, *arch = NULL, *symbols = NULL;
    const double most = (double)r->name_count - 1;
    struct table table;
    int rc = table_open(r, "modules", "path", &table);

    if (rc)
        return rc;
    path = table_ints(&table, "path", 0, most);
    name_ids = table_ints(&table, "name", 0, most);
    build_id = table_ints(&table, "build_id", 0, most);
    arch = table_ints(&table, "arch", 0, most);
    symbols = table_words(&table, "symbols", symbols_index);
    if (!path || !name_ids || !build_id || !arch)
        rc = broken(r, "modules");
    for (size_t i = 0; !rc && i < table.count; i++) {
        bool is_new;
        uint32_t index = calltree_module(tree, our_name(r, path[i]), our_name(r, build_id[i]), &is_new);

        if (!is_new || index != i) {
            rc = broken(r, "modules");
            break;
        }
        tree->modules[i].name = our_name(r, name_ids[i]);
        tree->modules[i].arch = our_name(r, arch[i]);
        tree->modules[i].symbols = (enum module_symbols)symbols[i];
    }
    free(path);
    free(name_ids);
    free(build_id);
    free(arch);
    free(symbols);
    return rc;
}

static int read_frames(struct reader *r)
{
    struct calltree *tree = &r->s->tree;
    const double most = (double)r->name_count - 1;
    int64_t *func, *object, *addr, *crate, *file, *line, *inlined, *layer;
    struct table table;
    int rc = table_open(r, "frames", "func", &table);

    if (rc)
        return rc;
    func = table_ints(&table, "func", -1, most);
    object = table_ints(&table, "object", -1, (double)tree->module_count - 1);
    addr = table_ints(&table, "addr", 0, 9.2e18);
    crate = table_ints(&table, "crate", 0, most);
    file = table_ints(&table, "file", 0, most);
    line = table_ints(&table, "line", 0, UINT32_MAX);
    inlined = table_ints(&table, "inlined", 0, UINT32_MAX);
    layer = table_words(&table, "layer", layer_index);
    if (!func || !object || !addr || !crate || !file || !line || !inlined)
        rc = broken(r, "frames");
    for (size_t i = 0; !rc && i < table.count; i++) {
        string_id name_id = func[i] < 0 ? 0 : our_name(r, func[i]);
        uint32_t index = object[i] < 0    ? calltree_named_frame(tree, name_id, (enum layer)layer[i])
                         : inlined[i] > 0 ? calltree_inlined_frame(tree, (uint32_t)object[i], (uint64_t)addr[i],
                                                                   (uint32_t)inlined[i])
                                          : calltree_frame(tree, (uint32_t)object[i], (uint64_t)addr[i]);
        struct frame *frame = &tree->frames[index];

        if (index != i) {
            rc = broken(r, "frames");
            break;
        }
        frame->func = name_id;
        frame->crate = our_name(r, crate[i]);
        frame->file = our_name(r, file[i]);
        frame->line = (uint32_t)line[i];
        frame->layer = (enum layer)layer[i];
    }
    free(func);
    free(object);
    free(addr);
    free(crate);
    free(file);
    free(line);
    free(inlined);
    free(layer);
    return rc;
}

static int read_nodes(struct reader *r)
{
    struct calltree *tree = &r->s->tree;
    int64_t *parent, *frame;
    struct table table;
    int rc = table_open(r, "nodes", "parent", &table);

    if (rc)
        return rc;
    if (table.count > MAX_NODES)
        return rs_err_set(r->err, -EINVAL, "this session has %zu call-tree nodes; at most %d are read", table.count,
                          MAX_NODES);
    parent = table_ints(&table, "parent", -1, (double)table.count - 1);
    frame = table_ints(&table, "frame", 0, (double)tree->frame_count - 1);
    if (!parent || !frame)
        rc = broken(r, "nodes");
    for (size_t i = 0; !rc && i < table.count; i++)
        if (parent[i] >= (int64_t)i || calltree_child(tree, (int32_t)parent[i], (uint32_t)frame[i]) != (int32_t)i)
            rc = broken(r, "nodes");
    free(parent);
    free(frame);
    return rc;
}

/* The bucket of every row, from the CSR index; NULL when the index does not fit the rows. */
static uint32_t *row_buckets(const struct table *table)
{
    uint32_t *buckets = xcalloc(table->count, sizeof(*buckets));
    double *start;
    int64_t count = column(table->section, "start", &start);
    bool fits = count > 0 ? start[0] == 0 && start[count - 1] == (double)table->count : !table->count;

    for (int64_t b = 0; fits && b + 1 < count; b++) {
        fits = start[b + 1] >= start[b] && start[b + 1] <= (double)table->count && b < UINT32_MAX;
        for (size_t row = (size_t)start[b]; fits && row < (size_t)start[b + 1]; row++)
            buckets[row] = (uint32_t)b;
    }
    free(start);
    if (fits)
        return buckets;
    free(buckets);
    return NULL;
}

static int read_interval(struct reader *r, const char *section, struct json_slice object, uint64_t *interval_ns)
{
    struct json_slice value;
    double interval_ms;

    if (!find_member(object, "interval_ms", &value) || !json_scan_number(value, &interval_ms) ||
        !(interval_ms >= 1 && interval_ms < 1e12))
        return broken(r, section);
    *interval_ns = (uint64_t)interval_ms * 1000000;
    return 0;
}

static int read_rows(struct reader *r, const char *section, struct rows *rows, const char *key_name, size_t key_count,
                     const char *const *value_names, const double *scale)
{
    int64_t *key = NULL, *key2 = NULL, *values[ROWS_MAX_VALUES] = {NULL};
    double *numbers = NULL;
    uint32_t *buckets = NULL;
    struct table table;
    int rc = table_open(r, section, key_name, &table);

    if (rc || !table.section.len)
        return rc;
    rc = read_interval(r, section, table.section, &rows->interval_ns);
    if (rc)
        return rc;
    buckets = row_buckets(&table);
    key = table_ints(&table, key_name, 0, (double)key_count - 1);
    key2 = table_ints(&table, "thread", -1, (double)UINT32_MAX);
    if (!buckets || !key || !key2)
        rc = broken(r, section);
    for (unsigned v = 0; !rc && v < rows->value_count; v++) {
        values[v] = xcalloc(table.count, sizeof(*values[v]));
        if (!value_names[v])
            continue;
        free(numbers);
        if (column(table.section, value_names[v], &numbers) != (int64_t)table.count)
            rc = broken(r, section);
        for (size_t i = 0; !rc && i < table.count; i++)
            values[v][i] = isfinite(numbers[i]) && fabs(numbers[i]) < 1e15 ? (int64_t)(numbers[i] * scale[v]) : 0;
    }
    for (size_t i = 0; !rc && i < table.count; i++) {
        const int64_t row[ROWS_MAX_VALUES] = {values[0][i], values[1] ? values[1][i] : 0, values[2] ? values[2][i] : 0};

        rows_add(rows, buckets[i] * rows->interval_ns, (uint32_t)key[i], key2[i] < 0 ? ROWS_NO_KEY2 : (uint32_t)key2[i],
                 row);
    }
    free(buckets);
    free(key);
    free(key2);
    free(numbers);
    for (unsigned v = 0; v < ROWS_MAX_VALUES; v++)
        free(values[v]);
    return rc;
}

/* -- sections --------------------------------------------------------------------------------------------------- */

static int read_meta(struct reader *r, const cJSON *o)
{
    static const char *const reasons[] = {[STOP_EXIT] = "exit",
                                          [STOP_SIGNAL] = "signal",
                                          [STOP_INTERRUPT] = "interrupt",
                                          [STOP_DURATION] = "duration",
                                          [STOP_DETACHED] = "detached"};
    struct session_meta *m = &r->s->meta;
    const cJSON *clock = cJSON_GetObjectItemCaseSensitive(o, "clock");
    const cJSON *label;
    double duration_sec = number(o, "duration_sec", 0);

    m->project = name(r, o, "project");
    m->target_binary = name(r, o, "target_binary");
    m->cwd = name(r, o, "cwd");
    m->name = name(r, o, "name");
    m->argc = name_list(r, o, "argv", &m->argv);
    m->tag_count = name_list(r, o, "tags", &m->tags);
    m->host_os = name(r, o, "host_os");
    m->host_arch = name(r, o, "host_arch");
    m->host_kernel = name(r, o, "host_kernel");
    m->cpu_model = name(r, o, "cpu_model");
    m->version = name(r, o, "rustscope_version");
    m->cpu_cores = (unsigned)small_int(o, "cpu_cores", 0);
    m->rate_hz = (unsigned)small_int(o, "rate_hz", 0);
    m->stack_rate_hz = (unsigned)small_int(o, "stack_rate_hz", 0);
    m->pid = small_int(o, "pid", 0);
    m->stop_reason = (enum stop_reason)NAME_INDEX(o, "stop_reason", reasons);
    m->exit_code = small_int(o, "exit_code", -1);
    m->exit_signal = small_int(o, "exit_signal", 0);
    label = cJSON_GetObjectItemCaseSensitive(o, "labels");
    m->labels = xcalloc((size_t)cJSON_GetArraySize(label), sizeof(*m->labels));
    cJSON_ArrayForEach(label, label)
    {
        m->labels[m->label_count].key = strings_add_str(&r->s->strings, label->string);
        m->labels[m->label_count++].value = item_name(r, label);
    }
    if (!(duration_sec >= 0 && duration_sec < 1e9))
        return broken(r, "meta");
    r->s->duration_ns = (uint64_t)(duration_sec * 1e9 + 0.5);
    r->s->start_unix_ms = whole_signed(clock, "unix_ms", whole_signed(o, "start_ts", 0));
    r->s->start_mono_ns = whole(clock, "mono_ns");
    r->start_ms = (double)r->s->start_unix_ms;
    return 0;
}

static int read_summary(struct reader *r, const cJSON *o)
{
    struct allocations *a = &r->s->allocations;
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(o, "heap_source");

    a->measured = cJSON_IsString(source) && !strcmp(source->valuestring, "live");
    a->total_allocations = whole(o, "total_allocations");
    a->total_deallocations = whole(o, "total_deallocations");
    a->total_bytes = whole(o, "total_alloc_bytes");
    a->temporary = whole(o, "temporary_allocations");
    a->leaked_bytes = whole(o, "leaked_bytes");
    a->leaked_count = whole(o, "leaked_allocations");
    return 0;
}

struct metric_key {
    const char *key;
    size_t column;
    double scale;
};

static const struct metric_key sample_keys[] = {
    {"cpu_pct", METRIC_CPU_PCT, 1},
    {"cpu_peak_pct", SAMPLES_CPU_PEAK_PCT, 1},
    {"heap_mb", METRIC_HEAP_BYTES, 1e6},
    {"heap_peak_mb", SAMPLES_HEAP_PEAK_BYTES, 1e6},
    {"anon_mb", METRIC_ANON_BYTES, 1e6},
    {"anon_peak_mb", SAMPLES_ANON_PEAK_BYTES, 1e6},
    {"rss_mb", METRIC_RSS_BYTES, 1e6},
    {"rss_peak_mb", SAMPLES_RSS_PEAK_BYTES, 1e6},
    {"threads", METRIC_THREADS, 1},
    {"open_fds", METRIC_OPEN_FDS, 1},
    {"read_bytes", METRIC_READ_BYTES, 1},
    {"write_bytes", METRIC_WRITE_BYTES, 1},
    {"context_switches", METRIC_CONTEXT_SWITCHES, 1},
};

static void set_point(struct series *series, size_t column_index, size_t point, double value)
{
    struct series_column *c = &series->columns[column_index];

    if (point >= series->capacity)
        return;
    if (point >= series->count)
        series->count = point + 1;
    if (!isfinite(value))
        return;
    c->value[point] = (float)value;
    c->weight[point] = 1;
}

static int read_sample(struct reader *r, const cJSON *o)
{
    struct series *samples = &r->s->samples;
    size_t point = samples->count;
    double interval_sec = number(o, "interval_sec", 1);

    if (point >= samples->capacity)
        return broken(r, "samples");
    if (!point && interval_sec >= 0.001 && interval_sec < 1e9)
        samples->interval_ns = (uint64_t)(interval_sec * 1e9);
    samples->count = point + 1;
    for (size_t i = 0; i < sizeof(sample_keys) / sizeof(*sample_keys); i++)
        if (r->s->allocations.measured || strncmp(sample_keys[i].key, "heap", 4))
            set_point(samples, sample_keys[i].column, point, number(o, sample_keys[i].key, NAN) * sample_keys[i].scale);
    return 0;
}

static int read_series_column(struct reader *r, struct json_slice object, const char *key, struct series *series,
                              size_t column_index, double scale)
{
    struct json_slice array;
    double *numbers;
    int64_t count;

    if (!find_member(object, key, &array)) /* an older or a smaller session lacks it */
        return 0;
    count = column(object, key, &numbers);
    if (count > (int64_t)series->capacity)
        count = -1;
    for (int64_t i = 0; i < count; i++)
        set_point(series, column_index, (size_t)i, numbers[i] * scale);
    free(numbers);
    return count < 0 ? broken(r, "timeline") : 0;
}

static int read_counters(struct reader *r, struct json_slice counters)
{
    const enum series_merge mean = SERIES_MEAN;
    struct json_slice key, value;
    struct json_scan scan;
    int rc = 0;

    if (!json_scan_begin(&scan, counters, '{'))
        return broken(r, "timeline");
    while (!rc && json_scan_next(&scan, &key, &value)) {
        struct counter_track *track;

        r->s->counters = xreallocarray(r->s->counters, r->s->counter_count + 1, sizeof(*r->s->counters));
        track = &r->s->counters[r->s->counter_count++];
        track->name = strings_add(&r->s->strings, key.text, key.len);
        series_init(&track->values, TIMELINE_INTERVAL_MS * 1000000ull, TIMELINE_POINTS, 1, &mean);
        rc = read_interval(r, "timeline", value, &track->values.interval_ns);
        if (!rc)
            rc = read_series_column(r, value, "value", &track->values, 0, 1);
    }
    return rc ? rc : scan.broken ? broken(r, "timeline") : 0;
}

static int read_timeline(struct reader *r)
{
    static const struct metric_key keys[] = {
        {"cpu_pct", METRIC_CPU_PCT, 1},         {"anon_mb", METRIC_ANON_BYTES, 1e6},
        {"rss_mb", METRIC_RSS_BYTES, 1e6},      {"heap_mb", METRIC_HEAP_BYTES, 1e6},
        {"threads", METRIC_THREADS, 1},         {"open_fds", METRIC_OPEN_FDS, 1},
        {"alloc_bytes", METRIC_ALLOC_BYTES, 1}, {"read_bytes", METRIC_READ_BYTES, 1},
        {"write_bytes", METRIC_WRITE_BYTES, 1},
    };
    struct json_slice section, counters;
    int rc;

    if (!find_section(r, "timeline", &section))
        return 0;
    rc = read_interval(r, "timeline", section, &r->s->timeline.interval_ns);
    for (size_t i = 0; !rc && i < sizeof(keys) / sizeof(*keys); i++)
        if (r->s->allocations.measured || keys[i].column != METRIC_HEAP_BYTES)
            rc = read_series_column(r, section, keys[i].key, &r->s->timeline, keys[i].column, keys[i].scale);
    if (!rc && find_member(section, "counters", &counters))
        rc = read_counters(r, counters);
    return rc;
}

static size_t read_shares(struct reader *r, const cJSON *o, const char *key, struct event_function **list)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(o, key);
    const cJSON *item;
    size_t count = 0;

    *list = xcalloc((size_t)cJSON_GetArraySize(array), sizeof(**list));
    cJSON_ArrayForEach(item, array)(*list)[count++] =
        (struct event_function){name(r, item, "name"), number(item, "pct", 0)};
    return count;
}

static int read_event(struct reader *r, const cJSON *o)
{
    static const char *const types[] = {
        [EVENT_MEMORY_SPIKE] = "spike", [EVENT_CPU_SPIKE] = "cpu_spike", [EVENT_MARK] = "mark", [EVENT_GAP] = "gap"};
    const cJSON *allocations = cJSON_GetObjectItemCaseSensitive(o, "top_allocations");
    const cJSON *item;
    struct memory_event *e;
    uint32_t index;

    if (r->s->event_count >= MAX_EVENTS)
        return broken(r, "memory_events");
    index = session_add_event(r->s, (enum event_type)NAME_INDEX(o, "type", types), at_from_ts(r, o, "ts"),
                              small_int(o, "process", -1));
    e = &r->s->events[index];
    e->end_ns = at_from_ts(r, o, "end_ts");
    e->size_bytes = whole_signed(o, "size_bytes", 0);
    e->peak = number(o, "peak", NAN);
    e->location = name(r, o, "location");
    e->open = false;
    e->function_count = read_shares(r, o, "top_functions", &e->functions);
    e->allocations = xcalloc((size_t)cJSON_GetArraySize(allocations), sizeof(*e->allocations));
    cJSON_ArrayForEach(item, allocations)
    {
        struct event_allocation *a = &e->allocations[e->allocation_count++];

        a->node = small_int(item, "node", CALLTREE_NO_NODE);
        a->path = name(r, item, "path");
        a->bytes = whole_signed(item, "bytes", 0);
        if (a->node >= (int64_t)r->s->tree.node_count || a->node < CALLTREE_NO_NODE)
            return broken(r, "memory_events");
    }
    return e->process >= (int64_t)r->s->process_count || e->process < -1 ? broken(r, "memory_events") : 0;
}

static int read_function(struct reader *r, const cJSON *o)
{
    static const char *const sources[] = {
        [FUNCTION_SAMPLED] = "sampled", [FUNCTION_INSTRUMENTED] = "instrumented", [FUNCTION_BOTH] = "both"};
    const cJSON *timing = cJSON_GetObjectItemCaseSensitive(o, "timing");
    const cJSON *memory = cJSON_GetObjectItemCaseSensitive(o, "memory");
    const cJSON *layer = cJSON_GetObjectItemCaseSensitive(o, "layer");
    struct function *f;

    if (r->s->function_count >= MAX_FUNCTIONS)
        return broken(r, "functions");
    r->s->functions = xreallocarray(r->s->functions, r->s->function_count + 1, sizeof(*r->s->functions));
    f = &r->s->functions[r->s->function_count++];
    *f = (struct function){
        .name = name(r, o, "name"),
        .module = name(r, o, "module"),
        .file = name(r, o, "file"),
        .line = (uint32_t)whole(o, "line"),
        .layer = cJSON_IsString(layer) ? layer_from_name(layer->valuestring) : LAYER_UNKNOWN,
        .self_pct = number(o, "self_pct", 0),
        .total_pct = number(o, "total_pct", 0),
        .self_samples = whole(o, "self_samples"),
        .total_samples = whole(o, "total_samples"),
        .self_us = whole(o, "self_us"),
        .total_us = whole(o, "total_us"),
        .source = (enum function_source)NAME_INDEX(o, "source", sources),
        .calls = whole(o, "calls"),
        .avg_ns = number(o, "avg_ns", 0),
        .min_ns = number(timing, "min_ns", 0),
        .max_ns = number(timing, "max_ns", 0),
        .total_ns = number(timing, "total_ns", 0),
        .self_ns = number(timing, "self_ns", 0),
        .stddev_ns = number(timing, "stddev_ns", 0),
        .p50_ns = number(timing, "p50_ns", 0),
        .p95_ns = number(timing, "p95_ns", 0),
        .p99_ns = number(timing, "p99_ns", 0),
        .outlier_count = whole(o, "outlier_count"),
        .timed_calls = whole(timing, "timed_calls"),
        .scope_alloc_bytes = whole(timing, "alloc_bytes"),
        .max_depth = (uint32_t)whole(o, "max_depth"),
        .alloc_bytes = whole(memory, "alloc_bytes"),
        .alloc_count = whole(memory, "alloc_count"),
        .leaked_bytes = whole(memory, "leaked_bytes"),
        .peak_bytes = whole(memory, "peak_bytes"),
    };
    if (!f->source)
        f->source = FUNCTION_SAMPLED;
    return 0;
}

static int read_process(struct reader *r, const cJSON *o)
{
    static const char *const shim[] = {[SHIM_OFF] = "off", [SHIM_LOADED] = "loaded", [SHIM_NOT_LOADED] = "not_loaded"};
    const cJSON *exit_status = cJSON_GetObjectItemCaseSensitive(o, "exit");
    const cJSON *shim_object = cJSON_GetObjectItemCaseSensitive(o, "shim");
    struct process *p;
    uint32_t index;
    int parent = small_int(o, "parent", -1), object = small_int(o, "object", -1);

    if (r->s->process_count >= MAX_PROCESSES || parent >= (int64_t)r->s->process_count || parent < -1 ||
        object >= (int64_t)r->s->tree.module_count || object < -1)
        return broken(r, "processes");
    index = session_add_process(r->s, small_int(o, "pid", 0), parent, whole(o, "start_ns"));
    p = &r->s->processes[index];
    p->image = (uint32_t)whole(o, "image");
    p->module = object;
    p->argc = name_list(r, o, "argv", &p->argv);
    p->name = name(r, o, "name");
    p->exe = name(r, o, "exe");
    p->cpu_ns = ns_from_ms(o, "cpu_ms");
    p->anon_peak_bytes = bytes_from_mb(o, "anon_peak_mb");
    p->rss_peak_bytes = bytes_from_mb(o, "rss_peak_mb");
    p->heap_peak_bytes = bytes_from_mb(o, "heap_peak_mb");
    p->outside_peak_bytes = bytes_from_mb(o, "outside_peak_mb");
    p->thread_peak = (uint32_t)whole(o, "thread_peak");
    p->allocations = whole(o, "allocations");
    p->deallocations = whole(o, "deallocations");
    p->alloc_bytes = whole(o, "alloc_bytes");
    p->leaked_bytes = whole(o, "leaked_bytes");
    p->leaked_allocations = whole(o, "leaked_allocations");
    p->shim = (enum shim_status)NAME_INDEX(shim_object, "status", shim);
    p->shim_reason = name(r, shim_object, "reason");
    p->end_ns = at_from_ts(r, o, "end_ts");
    p->exit_known = cJSON_IsNumber(exit_status);
    p->exit_status = small_int(o, "exit", 0);
    return 0;
}

static int read_thread(struct reader *r, const cJSON *o)
{
    struct session *s = r->s;
    uint64_t process = whole(o, "process");
    struct thread *t;

    if (process >= s->process_count || s->thread_count >= MAX_THREADS)
        return broken(r, "threads");
    GROW(s->threads, s->thread_count + 1, s->thread_cap);
    t = &s->threads[s->thread_count++];
    *t = (struct thread){.process = (uint32_t)process,
                         .tid = small_int(o, "tid", 0),
                         .name = name(r, o, "name"),
                         .cpu_ns = ns_from_ms(o, "cpu_ms"),
                         .start_ns = at_from_ts(r, o, "start_ts"),
                         .end_ns = at_from_ts(r, o, "end_ts")};
    return 0;
}

static int read_allocations(struct reader *r)
{
    static const char *const classes[ALLOC_SIZE_CLASSES] = {"0-64B", "65-512B", "513B-4KB", "4KB-64KB", ">64KB"};
    struct allocations *a = &r->s->allocations;
    int64_t *columns[8] = {NULL};
    static const char *const keys[8] = {"node",         "count",        "bytes",     "peak_bytes",
                                        "leaked_bytes", "leaked_count", "temporary", "lifetime_p50_us"};
    struct json_slice member;
    double *lifetimes;
    struct table table;
    int64_t count;
    int rc = table_open(r, "allocations", "node", &table);

    if (rc || !table.section.len)
        return rc;
    for (size_t c = 0; c < 8; c++) {
        columns[c] = table_ints(&table, keys[c], 0, c ? 9.2e18 : (double)r->s->tree.node_count - 1);
        if (!columns[c])
            rc = broken(r, "allocations");
    }
    if (!rc) {
        a->stats = xcalloc(table.count, sizeof(*a->stats));
        a->stats_count = table.count;
    }
    for (size_t i = 0; !rc && i < table.count; i++)
        a->stats[i] = (struct alloc_stats){.node = (int32_t)columns[0][i],
                                           .count = (uint64_t)columns[1][i],
                                           .bytes = (uint64_t)columns[2][i],
                                           .peak_bytes = (uint64_t)columns[3][i],
                                           .leaked_bytes = (uint64_t)columns[4][i],
                                           .leaked_count = (uint64_t)columns[5][i],
                                           .temporary = (uint64_t)columns[6][i],
                                           .lifetime_p50_us = (uint64_t)columns[7][i]};
    for (size_t c = 0; c < 8; c++)
        free(columns[c]);
    count = column(table.section, "lifetimes", &lifetimes);
    for (int64_t i = 0; i < count && i < LIFETIME_CLASSES; i++)
        a->lifetimes[i] = lifetimes[i] > 0 && lifetimes[i] < 1.8e19 ? (uint64_t)lifetimes[i] : 0;
    free(lifetimes);
    if (find_member(table.section, "peak", &member)) {
        cJSON *peak = cJSON_ParseWithLength(member.text, member.len);

        a->peak_at_ns = at_from_ts(r, peak, "ts");
        a->peak_bytes = whole(peak, "bytes");
        cJSON_Delete(peak);
    }
    if (find_member(table.section, "outside", &member)) {
        cJSON *outside = cJSON_ParseWithLength(member.text, member.len);

        a->outside_peak_bytes = whole(outside, "peak_bytes");
        a->outside_left_bytes = whole(outside, "left_bytes");
        cJSON_Delete(outside);
    }
    if (find_member(table.section, "by_size", &member)) {
        cJSON *by_size = cJSON_ParseWithLength(member.text, member.len);

        for (size_t i = 0; i < ALLOC_SIZE_CLASSES; i++)
            a->by_size[i] = whole(by_size, classes[i]);
        cJSON_Delete(by_size);
    }
    return rc;
}

static int read_leak(struct reader *r, const cJSON *o)
{
    struct allocations *a = &r->s->allocations;
    struct leak leak = {.node = small_int(o, "node", -1),
                        .process = (uint32_t)whole(o, "process"),
                        .bytes = whole(o, "bytes"),
                        .count = whole(o, "count"),
                        .first_ns = at_from_ts(r, o, "first_ts"),
                        .last_ns = at_from_ts(r, o, "last_ts"),
                        .suppressed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "suppressed"))};

    if (leak.node < 0 || (size_t)leak.node >= r->s->tree.node_count || leak.process >= r->s->process_count)
        return broken(r, "leaks");
    a->leaks = xreallocarray(a->leaks, a->leak_count + 1, sizeof(*a->leaks));
    a->leaks[a->leak_count++] = leak;
    return 0;
}

static struct rollup rollup_of(struct reader *r, const cJSON *o)
{
    return (struct rollup){name(r, o, "name"), number(o, "self_pct", 0), number(o, "total_pct", 0),
                           whole(o, "function_count"), whole(o, "alloc_bytes")};
}

static int read_crate_rollup(struct reader *r, const cJSON *o)
{
    struct session *s = r->s;

    s->crate_rollups = xreallocarray(s->crate_rollups, s->crate_rollup_count + 1, sizeof(*s->crate_rollups));
    s->crate_rollups[s->crate_rollup_count++] = rollup_of(r, o);
    return 0;
}

static int read_module_rollup(struct reader *r, const cJSON *o)
{
    struct session *s = r->s;

    s->module_rollups = xreallocarray(s->module_rollups, s->module_rollup_count + 1, sizeof(*s->module_rollups));
    s->module_rollups[s->module_rollup_count++] = rollup_of(r, o);
    return 0;
}

static int read_hotspot(struct reader *r, const cJSON *o)
{
    struct session *s = r->s;
    struct hotspot *h;

    if (s->hotspot_count >= MAX_HOTSPOTS)
        return broken(r, "hotspot_snapshots");
    s->hotspots = xreallocarray(s->hotspots, s->hotspot_count + 1, sizeof(*s->hotspots));
    h = &s->hotspots[s->hotspot_count++];
    *h = (struct hotspot){.at_ns = at_from_ts(r, o, "ts")};
    h->function_count = read_shares(r, o, "top_functions", &h->functions);
    h->crate_count = read_shares(r, o, "crate_rollups", &h->crates);
    return 0;
}

static int read_diagnostics(struct reader *r, const cJSON *o)
{
    static const char *const stacks[] = {[STACKS_NONE] = "none",
                                         [STACKS_PERF_EVENT] = "perf_event",
                                         [STACKS_TIMER] = "timer",
                                         [STACKS_SAMPLE] = "sample"};
    static const char *const events[] = {
        [STACK_EVENT_NONE] = "", [STACK_EVENT_CPU_CLOCK] = "cpu-clock", [STACK_EVENT_CYCLES] = "cycles"};
    static const char *const allocs[] = {[ALLOCS_NONE] = "none", [ALLOCS_SHIM] = "shim", [ALLOCS_LIBRARY] = "library"};
    struct diagnostics *d = &r->s->diagnostics;
    const cJSON *item;

    d->stack_backend = (enum stack_backend)NAME_INDEX(o, "stack_backend", stacks);
    d->stack_event = (enum stack_event)NAME_INDEX(o, "stack_event", events);
    d->stack_rate_achieved_hz = number(o, "stack_rate_achieved_hz", 0);
    d->stack_samples = whole(o, "stack_samples");
    d->stack_lost = whole(o, "stack_lost");
    d->stacks_truncated = whole(o, "stacks_truncated");
    d->stacks_stitched = whole(o, "stacks_stitched");
    d->unknown_symbols = whole(o, "unknown_symbols");
    d->overhead_pct = number(o, "overhead_pct", NAN);
    d->cli_cpu_pct = number(o, "cli_cpu_pct", NAN);
    d->alloc_backend = (enum alloc_backend)NAME_INDEX(o, "alloc_backend", allocs);
    d->events_received = whole(o, "events_received");
    d->events_dropped = whole(o, "events_dropped");
    d->inherited_frees = whole(o, "inherited_frees");
    d->unknown_frees = whole(o, "unknown_frees");
    d->ticks = whole(o, "ticks");
    d->ticks_missed = whole(o, "ticks_missed");
    d->gaps = whole(o, "gaps");
    d->warning_count = name_list(r, o, "warnings", &d->warnings);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "stop_reasons")) if (item->valuedouble > 0)
        session_count_stop(r->s, item->string, (uint64_t)item->valuedouble);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "folded")) if (item->valuedouble > 0)
        session_count_folded(r->s, item->string, (uint64_t)item->valuedouble);
    return 0;
}

/* -- scopes ------------------------------------------------------------------------------------------------------ */

/* Whole-number columns of the scopes table, by where they go in struct rustscope_function. */
static const struct {
    const char *key;
    size_t offset;
} scope_counts[] =
    {
        {"calls", offsetof(struct rustscope_function, calls)},
        {"timed_calls", offsetof(struct rustscope_function, timed_calls)},
        {"alloc_bytes", offsetof(struct rustscope_function, alloc_bytes)},
        {"outlier_count", offsetof(struct rustscope_function, outlier_count)},
        {"budget_violations", offsetof(struct rustscope_function, budget_violations)},
},
  scope_times[] = {
      {"total_ns", offsetof(struct rustscope_function, total_ns)},
      {"self_ns", offsetof(struct rustscope_function, self_ns)},
      {"min_ns", offsetof(struct rustscope_function, min_ns)},
      {"mean_ns", offsetof(struct rustscope_function, mean_ns)},
      {"stddev_ns", offsetof(struct rustscope_function, stddev_ns)},
      {"p50_ns", offsetof(struct rustscope_function, p50_ns)},
      {"p95_ns", offsetof(struct rustscope_function, p95_ns)},
      {"p99_ns", offsetof(struct rustscope_function, p99_ns)},
      {"max_ns", offsetof(struct rustscope_function, max_ns)},
};

static int read_scope_figures(struct reader *r, const struct table *table)
{
    struct scope_row *rows = r->s->scopes.rows;
    int rc = 0;

    for (size_t c = 0; !rc && c < sizeof(scope_counts) / sizeof(*scope_counts); c++) {
        int64_t *values = table_ints(table, scope_counts[c].key, 0, 9.2e18);

        if (!values)
            return broken(r, "scopes");
        for (size_t i = 0; i < table->count; i++)
            *(uint64_t *)((char *)&rows[i].figures + scope_counts[c].offset) = (uint64_t)values[i];
        free(values);
    }
    for (size_t c = 0; !rc && c < sizeof(scope_times) / sizeof(*scope_times); c++) {
        double *values = NULL;

        if (column(table->section, scope_times[c].key, &values) != (int64_t)table->count)
            rc = broken(r, "scopes");
        for (size_t i = 0; !rc && i < table->count; i++)
            *(double *)((char *)&rows[i].figures + scope_times[c].offset) = values[i];
        free(values);
    }
    return rc;
}

static int read_scope_rows(struct reader *r)
{
    const double names = r->name_count ? (double)r->name_count - 1 : 0;
    int64_t *parent, *name_of, *file, *line, *process, *depth;
    struct session_scopes *scopes = &r->s->scopes;
    struct table table;
    int rc = table_open(r, "scopes", "parent", &table);

    if (rc || !table.section.len || !table.count)
        return rc;
    parent = table_ints(&table, "parent", -1, (double)table.count - 1);
    name_of = table_ints(&table, "name", 0, names);
    file = table_ints(&table, "file", 0, names);
    line = table_ints(&table, "line", 0, UINT32_MAX);
    process = table_ints(&table, "process", 0, (double)r->s->process_count - 1);
    depth = table_ints(&table, "max_depth", 0, UINT32_MAX);
    if (!parent || !name_of || !file || !line || !process || !depth) {
        rc = broken(r, "scopes");
        goto out;
    }
    scopes->rows = xcalloc(table.count, sizeof(*scopes->rows));
    scopes->row_count = table.count;
    for (size_t i = 0; !rc && i < table.count; i++) {
        scopes->rows[i] = (struct scope_row){.name = our_name(r, name_of[i]),
                                             .file = our_name(r, file[i]),
                                             .process = (uint32_t)process[i],
                                             .parent = (int32_t)parent[i]};
        scopes->rows[i].figures.line = (uint32_t)line[i];
        scopes->rows[i].figures.max_depth = (uint32_t)depth[i];
        if (parent[i] >= (int64_t)i)
            rc = broken(r, "scopes");
    }
    if (!rc)
        rc = read_scope_figures(r, &table);
out:
    free(parent);
    free(name_of);
    free(file);
    free(line);
    free(process);
    free(depth);
    return rc;
}

static int read_scope_clocks(struct reader *r)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct json_slice section, member;
    const cJSON *o;
    cJSON *list;
    int rc = 0;

    if (!find_section(r, "scopes", &section) || !find_member(section, "clocks", &member))
        return 0;
    list = cJSON_ParseWithLength(member.text, member.len);
    cJSON_ArrayForEach(o, list)
    {
        const cJSON *clock = cJSON_GetObjectItemCaseSensitive(o, "clock");
        const cJSON *mode = cJSON_GetObjectItemCaseSensitive(o, "mode");

        if (whole(o, "process") >= r->s->process_count)
            rc = broken(r, "scopes");
        scopes->clocks = xreallocarray(scopes->clocks, scopes->clock_count + 1, sizeof(*scopes->clocks));
        scopes->clocks[scopes->clock_count++] =
            (struct scope_clock){(uint32_t)whole(o, "process"),
                                 {.clock = scope_clock_name(cJSON_GetStringValue(clock)),
                                  .mode = scope_mode_name(cJSON_GetStringValue(mode)),
                                  .resolution_ns = number(o, "resolution_ns", 0),
                                  .overhead_ns = number(o, "overhead_ns", 0),
                                  .inside_ns = number(o, "inside_ns", 0),
                                  .precise_offset_ns = number(o, "precise_offset_ns", 0),
                                  .skipped = whole(o, "skipped"),
                                  .folded_paths = whole(o, "folded_paths"),
                                  .threads = whole(o, "threads")}};
    }
    cJSON_Delete(list);
    return rc;
}

/* The call that began at KEY and took TOOK_NS. */
static struct rustscope_worst worst_call(const struct reader *r, const cJSON *o, const char *key, double took_ns)
{
    uint64_t took = took_ns > 0 && took_ns < 9e18 ? (uint64_t)(took_ns + 0.5) : 0;

    return (struct rustscope_worst){at_from_ts(r, o, key) + took, took, number(o, "sigma", 0)};
}

static int read_outlier(struct reader *r, const cJSON *o)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct scope_outlier outlier = {.name = name(r, o, "name"),
                                    .row = small_int(o, "node", -1),
                                    .process = (uint32_t)whole(o, "process"),
                                    .call = worst_call(r, o, "ts", number(o, "duration_ns", 0))};

    if (outlier.row < -1 || outlier.row >= (int64_t)scopes->row_count || outlier.process >= r->s->process_count)
        return broken(r, "outliers");
    scopes->outliers = xreallocarray(scopes->outliers, scopes->outlier_count + 1, sizeof(*scopes->outliers));
    scopes->outliers[scopes->outlier_count++] = outlier;
    return 0;
}

static int read_violation(struct reader *r, const cJSON *o)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct scope_violation violation = {.name = name(r, o, "name"),
                                        .process = (uint32_t)whole(o, "process"),
                                        .budget_ns = whole(o, "budget_ns"),
                                        .count = whole(o, "count"),
                                        .worst = worst_call(r, o, "worst_ts", number(o, "worst_ns", 0))};

    if (violation.process >= r->s->process_count)
        return broken(r, "budget_violations");
    scopes->violations = xreallocarray(scopes->violations, scopes->violation_count + 1, sizeof(*scopes->violations));
    scopes->violations[scopes->violation_count++] = violation;
    return 0;
}

static int read_task(struct reader *r, const cJSON *o)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct scope_task task = {.name = name(r, o, "name"),
                              .process = (uint32_t)whole(o, "process"),
                              .figures = {.started = whole(o, "started"),
                                          .completed = whole(o, "completed"),
                                          .cancelled = whole(o, "cancelled"),
                                          .polls = whole(o, "polls"),
                                          .busy_ticks = whole(o, "busy_ns"),
                                          .idle_ticks = whole(o, "idle_ns"),
                                          .scheduled_ticks = whole(o, "scheduled_ns"),
                                          .first_delay_ticks = whole(o, "first_poll_delay_ns"),
                                          .lifetime_ticks = whole(o, "lifetime_ns"),
                                          .max_poll_ticks = whole(o, "max_poll_ns")}};

    if (task.process >= r->s->process_count)
        return broken(r, "async_tasks");
    scopes->tasks = xreallocarray(scopes->tasks, scopes->task_count + 1, sizeof(*scopes->tasks));
    scopes->tasks[scopes->task_count++] = task;
    return 0;
}

/* Femtoseconds from a number of ns. */
static uint64_t fs_from_ns(const cJSON *o, const char *key)
{
    double ns = number(o, key, 0);

    return ns > 0 && ns < 1e12 ? (uint64_t)(ns * 1e6 + 0.5) : 0;
}

static void read_pair(const cJSON *o, const char *key, double *low, double *high)
{
    const cJSON *pair = cJSON_GetObjectItemCaseSensitive(o, key), *a = cJSON_GetArrayItem(pair, 0);
    const cJSON *b = cJSON_GetArrayItem(pair, 1);

    *low = cJSON_IsNumber(a) ? a->valuedouble : 0;
    *high = cJSON_IsNumber(b) ? b->valuedouble : 0;
}

static int read_benchmark(struct reader *r, const cJSON *o)
{
    const cJSON *samples = cJSON_GetObjectItemCaseSensitive(o, "samples_ns"), *sample;
    const cJSON *outliers = cJSON_GetObjectItemCaseSensitive(o, "outliers");
    struct rs_bench_counts counts = {
        .iterations = whole(o, "iterations"),
        .warmup_iterations = whole(o, "warmup_iterations"),
        .sample_iterations = whole(o, "sample_iterations"),
        .alloc_bytes = whole(o, "alloc_bytes"),
        .alloc_blocks = whole(o, "alloc_blocks"),
        .bytes = whole(o, "bytes"),
        .items = whole(o, "items"),
        .loop_fs = fs_from_ns(o, "loop_ns"),
        .resolution_fs = fs_from_ns(o, "resolution_ns"),
        .n = (int64_t)number(o, "n", 0),
        .samples = (uint32_t)cJSON_GetArraySize(samples),
        .processes = (uint32_t)whole(o, "processes"),
        .threads = (uint32_t)whole(o, "threads"),
        .flags = (cJSON_HasObjectItem(o, "alloc_blocks") ? RS_BENCH_ALLOCATIONS_KNOWN : 0) |
                 (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(o, "settled")) ? RS_BENCH_UNSETTLED : 0) |
                 (cJSON_HasObjectItem(o, "n") ? RS_BENCH_HAS_N : 0),
    };
    struct session_benchmark *b = session_benchmarks_add(&r->s->benchmarks, &counts);

    if (!b)
        return broken(r, "benchmarks");
    b->name = name(r, o, "name");
    b->process = UINT32_MAX;
    cJSON_ArrayForEach(sample, samples) b->samples_ns[b->arrived++] = cJSON_IsNumber(sample) ? sample->valuedouble : 0;
    b->summary = (struct rs_bench_summary){
        .mean_ns = number(o, "mean_ns", 0),
        .median_ns = number(o, "median_ns", 0),
        .min_ns = number(o, "min_ns", 0),
        .max_ns = number(o, "max_ns", 0),
        .stddev_ns = number(o, "stddev_ns", 0),
        .mad_ns = number(o, "mad_ns", 0),
        .process_stddev_ns = number(o, "process_stddev_ns", 0),
        .low_mild = (uint32_t)whole(outliers, "low_mild"),
        .low_severe = (uint32_t)whole(outliers, "low_severe"),
        .high_mild = (uint32_t)whole(outliers, "high_mild"),
        .high_severe = (uint32_t)whole(outliers, "high_severe"),
    };
    read_pair(o, "ci95_ns", &b->summary.mean_low_ns, &b->summary.mean_high_ns);
    read_pair(o, "median_ci95_ns", &b->summary.median_low_ns, &b->summary.median_high_ns);
    return 0;
}

/* -- the whole -------------------------------------------------------------------------------------------------- */

static int find_sections(struct reader *r, struct json_slice text)
{
    struct json_slice document, key, value;
    struct json_scan scan;
    double version = NAN;

    if (!text.len)
        return rs_err_set(r->err, -EINVAL, "the file is empty");
    if (!json_scan_value(text, &document) || !json_scan_begin(&scan, document, '{'))
        return rs_err_set(r->err, -EINVAL, "this is no RustScope session: it is not one whole JSON object%s",
                          memchr(text.text, '{', text.len < 64 ? text.len : 64) ? " (cut off, perhaps)" : "");
    while (json_scan_next(&scan, &key, &value)) {
        if (r->section_count >= MAX_SECTIONS)
            break;
        for (size_t i = 0; i < r->section_count; i++)
            if (key.len == r->sections[i].key.len && !memcmp(key.text, r->sections[i].key.text, key.len))
                return rs_err_set(r->err, -EINVAL, "this is no RustScope session: \"%.*s\" is in it twice",
                                  (int)(key.len < 64 ? key.len : 64), key.text);
        r->sections[r->section_count].key = key;
        r->sections[r->section_count++].value = value;
    }
    if (scan.broken)
        return broken(r, "its outermost object");
    if (!find_section(r, "schema_version", &value) || !json_scan_number(value, &version) || isnan(version) ||
        !find_section(r, "meta", &value))
        return rs_err_set(r->err, -EINVAL,
                          "this is JSON, but no RustScope session (it has no schema_version and meta)");
    if (version > SESSION_SCHEMA_VERSION)
        return rs_err_set(r->err, -EINVAL,
                          "this session has schema version %g and this rustscope knows %d: a newer rustscope reads it",
                          version, SESSION_SCHEMA_VERSION);
    if (version < SESSION_SCHEMA_VERSION)
        return rs_err_set(r->err, -EINVAL,
                          "schema version %g is older than what this rustscope reads (%d): record again", version,
                          SESSION_SCHEMA_VERSION);
    return 0;
}

static int read_all(struct reader *r, struct json_slice text)
{
    static const char *const cpu[] = {"weight_us", "samples", NULL};
    static const char *const offcpu[] = {"wait_us", "count", NULL};
    static const char *const alloc[] = {"bytes", "count", "net_bytes"};
    static const char *const process[] = {"cpu_pct", "anon_mb", "heap_mb"};
    const double one[] = {1, 1, 1};
    struct session *s = r->s;
    double process_scale[] = {0, 1e6, 1e6};
    struct json_slice section;
    int rc = find_sections(r, text);

#define STEP(call)                                                                                                     \
    if (!rc)                                                                                                           \
    rc = call
    STEP(read_object(r, "meta", read_meta));
    STEP(read_object(r, "summary", read_summary));
    STEP(read_strings(r));
    STEP(read_modules(r));
    STEP(read_frames(r));
    STEP(read_nodes(r));
    STEP(read_objects(r, "processes", read_process));
    STEP(read_objects(r, "threads", read_thread));
    STEP(read_objects(r, "samples", read_sample));
    STEP(read_timeline(r));
    if (!rc && find_section(r, "process_timeline", &section)) {
        uint64_t interval_ns = 0;

        rc = read_interval(r, "process_timeline", section, &interval_ns);
        process_scale[0] = (double)interval_ns / 100.0;
    }
    STEP(read_rows(r, "process_timeline", &s->process_rows, "process", s->process_count, process, process_scale));
    STEP(read_rows(r, "cpu", &s->cpu_rows, "node", s->tree.node_count, cpu, one));
    STEP(read_rows(r, "offcpu", &s->offcpu_rows, "node", s->tree.node_count, offcpu, one));
    STEP(read_rows(r, "alloc_buckets", &s->alloc_rows, "node", s->tree.node_count, alloc, one));
    STEP(read_objects(r, "memory_events", read_event));
    STEP(read_objects(r, "functions", read_function));
    STEP(read_allocations(r));
    STEP(read_scope_rows(r));
    STEP(read_scope_clocks(r));
    STEP(read_objects(r, "outliers", read_outlier));
    STEP(read_objects(r, "budget_violations", read_violation));
    STEP(read_objects(r, "async_tasks", read_task));
    STEP(read_objects(r, "benchmarks", read_benchmark));
    STEP(read_objects(r, "leaks", read_leak));
    STEP(read_objects(r, "crate_rollups", read_crate_rollup));
    STEP(read_objects(r, "module_rollups", read_module_rollup));
    STEP(read_objects(r, "hotspot_snapshots", read_hotspot));
    STEP(read_object(r, "diagnostics", read_diagnostics));
#undef STEP
    return rc;
}

struct session *session_read(const char *text, size_t len, struct rs_err *err)
{
    struct reader r = {.s = session_new(0, 0), .err = err};
    int rc = read_all(&r, (struct json_slice){text, len});

    free(r.names);
    if (!rc)
        return r.s;
    session_free(r.s);
    return NULL;
}

/* -- files ------------------------------------------------------------------------------------------------------ */

static int read_whole(int fd, char **text, size_t *len)
{
    size_t cap = 0;

    *text = NULL;
    *len = 0;
    for (;;) {
        ssize_t n;

        GROW(*text, *len + 65536, cap);
        n = read(fd, *text + *len, cap - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n)
            return 0;
        *len += (size_t)n;
    }
}

static int inflate_whole(char **text, size_t *len, struct rs_err *err)
{
    z_stream z = {.next_in = (unsigned char *)*text, .avail_in = (unsigned)*len};
    size_t cap = 0, out_len = 0;
    char *out = NULL;
    int rc;

    if (*len > UINT32_MAX || inflateInit2(&z, 15 + 16) != Z_OK)
        return rs_err_set(err, -EINVAL, "this gzip file is too large to read");
    do {
        GROW(out, out_len + 65536, cap);
        z.next_out = (unsigned char *)out + out_len;
        z.avail_out = (unsigned)(cap - out_len < UINT32_MAX ? cap - out_len : UINT32_MAX);
        rc = inflate(&z, Z_NO_FLUSH);
        out_len = (size_t)((char *)z.next_out - out);
        if (out_len > MOST_INFLATED_BYTES)
            rc = Z_MEM_ERROR;
    } while (rc == Z_OK);
    inflateEnd(&z);
    free(*text);
    *text = out;
    *len = out_len;
    if (rc == Z_STREAM_END)
        return 0;
    return rs_err_set(err, -EINVAL,
                      rc == Z_MEM_ERROR ? "this gzip file inflates to more than 4 GB: not a session"
                                        : "this gzip file is broken or cut off");
}

struct session *session_read_file(const char *path, struct rs_err *err)
{
    struct session *s = NULL;
    struct rs_err why;
    char *text = NULL;
    size_t len = 0;
    bool is_stdin = !strcmp(path, "-");
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc = fd < 0 ? -errno : read_whole(fd, &text, &len);

    if (rc) {
        rs_err_set(err, rc, "cannot read %s: %s", path, strerror(-rc));
        goto out;
    }
    if (len >= 2 && (unsigned char)text[0] == 0x1f && (unsigned char)text[1] == 0x8b)
        rc = inflate_whole(&text, &len, &why);
    if (!rc)
        s = session_read(text, len, &why);
    if (!s)
        rs_err_set(err, -EINVAL, "%s: %s", path, why.text);
out:
    if (fd >= 0 && !is_stdin)
        close(fd);
    free(text);
    return s;
}
