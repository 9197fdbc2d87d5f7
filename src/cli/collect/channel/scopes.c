/* SPDX-License-Identifier: MIT */
#include "collect/channel/scopes.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/path.h"
#include "core/scopes_wire.h"
#include "session/scopes.h"

enum {
    SITES_MAX = 1 << 14, /* of a process: what librustscope itself keeps */
    PATHS_MAX = 1 << 16,
    PATHS_MAX_ALL = 1 << 17, /* of all processes */
    DEPTH_MAX = 4096,
    HISTOGRAMS_MAX = 1 << 14, /* 160 MB; paths beyond have no percentiles */
    OUTLIERS_MAX = 10000,
    TEXTS_MAX = 64,
    TOLD_MAX = 4096, /* tags and labels of all processes */
};

struct site {
    string_id name, file;
    uint32_t line, flags;
};

struct path {
    uint32_t parent, site; /* site 0: not defined */
    uint32_t depth;
    struct rs_scope_stats stats;
    struct rs_scope_task task;
    struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT];
    uint64_t *histogram; /* NULL until there is one */
};

/* One process image: the session has an index for each exec. */
struct image {
    int32_t process;
    struct site *sites;
    size_t site_count, site_cap;
    struct path *paths; /* [0] is the root */
    size_t path_count, path_cap;
    struct rs_wire_scopes_clock clock;
    bool clock_known;
};

/* A tag or a label that a process told. */
struct told {
    int32_t process;
    bool is_label;
    string_id key, value;
};

struct scopes {
    struct session *s;
    struct told *told;
    size_t told_count, told_cap;
    size_t own_tags, own_labels; /* the first ones of the session: of the command line */
    struct image *images;
    size_t image_count, image_cap;
    size_t path_total, histogram_total;
    uint64_t garbage, beyond;
};

struct scopes *scopes_new(struct session *session)
{
    struct scopes *scopes = xcalloc(1, sizeof(*scopes));

    scopes->s = session;
    scopes->own_tags = session->meta.tag_count;
    scopes->own_labels = session->meta.label_count;
    return scopes;
}

static void forget_figures(struct scopes *scopes, struct path *p)
{
    scopes->histogram_total -= p->histogram != NULL;
    free(p->histogram);
    p->histogram = NULL;
    rs_scope_stats_init(&p->stats);
    memset(&p->task, 0, sizeof(p->task));
    memset(p->worst, 0, sizeof(p->worst));
}

void scopes_free(struct scopes *scopes)
{
    if (!scopes)
        return;
    for (size_t i = 0; i < scopes->image_count; i++) {
        for (size_t p = 0; p < scopes->images[i].path_count; p++)
            free(scopes->images[i].paths[p].histogram);
        free(scopes->images[i].paths);
        free(scopes->images[i].sites);
    }
    free(scopes->images);
    free(scopes->told);
    free(scopes);
}

static struct image *image_of(struct scopes *scopes, int32_t process)
{
    struct image *image;

    for (size_t i = scopes->image_count; i-- > 0;)
        if (scopes->images[i].process == process)
            return &scopes->images[i];
    GROW(scopes->images, scopes->image_count + 1, scopes->image_cap);
    image = &scopes->images[scopes->image_count++];
    memset(image, 0, sizeof(*image));
    image->process = process;
    return image;
}

/* ---- records ---- */

/* A fixed part of SIZE bytes and at least MORE behind it. */
static bool fits(size_t bytes, size_t size, uint64_t more)
{
    return bytes >= size && bytes - size >= more;
}

static bool take_site(struct scopes *scopes, struct image *image, const char *record, size_t bytes)
{
    struct rs_wire_site r;
    const char *text = record + sizeof(r);

    if (!fits(bytes, sizeof(r), 0))
        return false;
    memcpy(&r, record, sizeof(r));
    if (!fits(bytes, sizeof(r), (uint64_t)r.name_bytes + r.file_bytes) || !r.site || r.site >= SITES_MAX)
        return false;
    if (r.site >= image->site_count) {
        GROW(image->sites, r.site + 1, image->site_cap);
        memset(image->sites + image->site_count, 0, (r.site + 1 - image->site_count) * sizeof(*image->sites));
        image->site_count = r.site + 1;
    }
    image->sites[r.site] =
        (struct site){strings_add(&scopes->s->strings, text, r.name_bytes),
                      strings_add(&scopes->s->strings, text + r.name_bytes, r.file_bytes), r.line, r.flags};
    return true;
}

static bool take_path(struct scopes *scopes, struct image *image, const char *record, size_t bytes)
{
    struct rs_wire_path r;

    if (!fits(bytes, sizeof(r), 0))
        return false;
    memcpy(&r, record, sizeof(r));
    if (!r.path || r.path >= PATHS_MAX || r.parent >= r.path || !r.site || r.site >= SITES_MAX)
        return false;
    if (r.path >= image->path_count) {
        if (scopes->path_total + r.path + 1 - image->path_count > PATHS_MAX_ALL) {
            scopes->beyond++;
            return true;
        }
        scopes->path_total += r.path + 1 - image->path_count;
        GROW(image->paths, r.path + 1, image->path_cap);
        for (; image->path_count <= r.path; image->path_count++) {
            memset(&image->paths[image->path_count], 0, sizeof(*image->paths));
            forget_figures(scopes, &image->paths[image->path_count]);
        }
    }
    if (image->paths[r.path].site)
        return true; /* sent again */
    if (image->paths[r.parent].depth >= DEPTH_MAX)
        return false;
    image->paths[r.path].parent = r.parent;
    image->paths[r.path].site = r.site;
    image->paths[r.path].depth = image->paths[r.parent].depth + 1;
    return true;
}

/* The path whose number is the second word of RECORD; NULL when it was not defined. */
static struct path *path_in(const struct image *image, const char *record)
{
    uint32_t path;

    memcpy(&path, record + sizeof(uint32_t), sizeof(path));
    return path && path < image->path_count && image->paths[path].site ? &image->paths[path] : NULL;
}

static bool take_figures(struct scopes *scopes, const struct image *image, unsigned kind, const char *record,
                         size_t bytes)
{
    const size_t head = 2 * sizeof(uint32_t);
    struct path *p = bytes >= head ? path_in(image, record) : NULL;
    struct rs_wire_bucket bucket;

    if (!p)
        return bytes >= head && image->path_count >= PATHS_MAX_ALL;
    switch (kind) {
    case RS_RECORD_PATH_STATS:
        if (bytes < head + sizeof(p->stats))
            return false;
        memcpy(&p->stats, record + head, sizeof(p->stats));
        return p->stats.timed <= p->stats.calls;
    case RS_RECORD_PATH_WORST:
        if (bytes < head + sizeof(p->worst))
            return false;
        memcpy(p->worst, record + head, sizeof(p->worst));
        return true;
    case RS_RECORD_PATH_TASK:
        if (bytes < head + sizeof(p->task))
            return false;
        memcpy(&p->task, record + head, sizeof(p->task));
        return true;
    default:
        if (!p->histogram && scopes->histogram_total >= HISTOGRAMS_MAX) {
            scopes->beyond++;
            return true;
        }
        scopes->histogram_total += !p->histogram;
        if (!p->histogram)
            p->histogram = xcalloc(RUSTSCOPE_HISTOGRAM_BUCKETS, sizeof(*p->histogram));
        for (size_t at = head; at + sizeof(bucket) <= bytes; at += sizeof(bucket)) {
            memcpy(&bucket, record + at, sizeof(bucket));
            if (bucket.bucket >= RUSTSCOPE_HISTOGRAM_BUCKETS)
                return false;
            p->histogram[bucket.bucket] = (uint64_t)bucket.count_hi << 32 | bucket.count_lo;
        }
        return true;
    }
}

static bool take_clock(struct image *image, const char *record, size_t bytes)
{
    struct rs_wire_scopes_clock r;

    if (bytes < sizeof(r))
        return false;
    memcpy(&r, record, sizeof(r));
    if (!(r.ns_per_tick > 1e-6 && r.ns_per_tick < 1e6) || r.mode > RUSTSCOPE_COUNT)
        return false;
    image->clock = r;
    image->clock_known = true;
    return true;
}

static bool take_mark(struct scopes *scopes, const struct image *image, const char *record, size_t bytes)
{
    struct session *s = scopes->s;
    struct rs_wire_mark r;
    uint64_t at_ns;
    string_id name;
    uint32_t event;

    if (!fits(bytes, sizeof(r), 0))
        return false;
    memcpy(&r, record, sizeof(r));
    if (!fits(bytes, sizeof(r), r.name_bytes))
        return false;
    name = strings_add(&s->strings, record + sizeof(r), r.name_bytes);
    at_ns = session_at(s, r.mono_ns);
    if (r.is_counter) {
        if (r.value == r.value)
            session_put_counter(s, name, at_ns, r.value);
        return true;
    }
    event = session_add_event(s, EVENT_MARK, at_ns, image->process);
    s->events[event].end_ns = at_ns;
    s->events[event].location = name;
    s->events[event].peak = __builtin_nan("");
    s->events[event].open = false;
    return true;
}

static void add_tag(struct session_meta *meta, string_id tag)
{
    for (size_t i = 0; i < meta->tag_count; i++)
        if (meta->tags[i] == tag)
            return;
    if (meta->tag_count >= TEXTS_MAX)
        return;
    meta->tags = xreallocarray(meta->tags, meta->tag_count + 1, sizeof(*meta->tags));
    meta->tags[meta->tag_count++] = tag;
}

/* What the command line said stands. */
static void add_label(struct session_meta *meta, string_id key, string_id value)
{
    for (size_t i = 0; i < meta->label_count; i++)
        if (meta->labels[i].key == key)
            return;
    if (meta->label_count >= TEXTS_MAX)
        return;
    meta->labels = xreallocarray(meta->labels, meta->label_count + 1, sizeof(*meta->labels));
    meta->labels[meta->label_count++] = (struct session_label){key, value};
}

/* The session's tags and labels are those of the command line and, behind them, what processes told last. */
static void publish_told(struct scopes *scopes)
{
    struct session_meta *meta = &scopes->s->meta;

    meta->tag_count = scopes->own_tags;
    meta->label_count = scopes->own_labels;
    for (size_t i = 0; i < scopes->told_count; i++) {
        const struct told *t = &scopes->told[i];

        if (t->is_label)
            add_label(meta, t->key, t->value);
        else
            add_tag(meta, t->value);
    }
}

static void tell(struct scopes *scopes, struct told told)
{
    size_t of_process = 0;

    for (size_t i = 0; i < scopes->told_count; i++) {
        struct told *t = &scopes->told[i];

        if (t->process != told.process || t->is_label != told.is_label)
            continue;
        if (told.is_label ? t->key == told.key : t->value == told.value) {
            t->value = told.value;
            publish_told(scopes);
            return;
        }
        of_process++;
    }
    if (of_process >= TEXTS_MAX || scopes->told_count >= TOLD_MAX)
        return;
    GROW(scopes->told, scopes->told_count + 1, scopes->told_cap);
    scopes->told[scopes->told_count++] = told;
    publish_told(scopes);
}

static void forget_told(struct scopes *scopes, int32_t process)
{
    size_t kept = 0;

    for (size_t i = 0; i < scopes->told_count; i++)
        if (scopes->told[i].process != process)
            scopes->told[kept++] = scopes->told[i];
    scopes->told_count = kept;
    publish_told(scopes);
}

static bool take_text(struct scopes *scopes, const struct image *image, const char *record, size_t bytes)
{
    struct strings *strings = &scopes->s->strings;
    struct rs_wire_session_text r;
    string_id key, value;

    if (!fits(bytes, sizeof(r), 0))
        return false;
    memcpy(&r, record, sizeof(r));
    if (!fits(bytes, sizeof(r), (uint64_t)r.key_bytes + r.value_bytes))
        return false;
    key = strings_add(strings, record + sizeof(r), r.key_bytes);
    value = strings_add(strings, record + sizeof(r) + r.key_bytes, r.value_bytes);
    if (r.what == RS_WIRE_SESSION_NAME && !scopes->s->meta.name)
        scopes->s->meta.name = value;
    else if (r.what == RS_WIRE_TAG)
        tell(scopes, (struct told){image->process, false, 0, value});
    else if (r.what == RS_WIRE_LABEL)
        tell(scopes, (struct told){image->process, true, key, value});
    else if (r.what == RS_WIRE_TEXTS_CLEARED)
        forget_told(scopes, image->process);
    return r.what <= RS_WIRE_TEXTS_CLEARED;
}

/* Times of iterations, which may be anything but must be numbers. */
static bool are_times(const double *ns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(ns[i] >= 0 && ns[i] < 1e18))
            return false;
    return true;
}

static bool take_benchmark(struct scopes *scopes, const struct image *image, const char *record, size_t bytes)
{
    struct rs_wire_benchmark r;
    struct rs_bench_counts counts;
    struct session_benchmark *b;

    if (!fits(bytes, sizeof(r), 0))
        return false;
    memcpy(&r, record, sizeof(r));
    counts = r.counts;
    if (!fits(bytes, sizeof(r), r.name_bytes))
        return false;
    b = session_benchmarks_add(&scopes->s->benchmarks, &counts);
    if (!b) {
        session_count_folded(scopes->s, "benchmarks", 1);
        return true;
    }
    b->name = strings_add(&scopes->s->strings, record + sizeof(r), r.name_bytes);
    b->process = (uint32_t)image->process;
    b->number = r.benchmark;
    return true;
}

static bool take_benchmark_samples(struct scopes *scopes, const struct image *image, const char *record, size_t bytes)
{
    struct session_benchmarks *all = &scopes->s->benchmarks;
    struct rs_wire_benchmark_samples r;
    struct session_benchmark *b = NULL;
    size_t count;

    if (!fits(bytes, sizeof(r), 0))
        return false;
    memcpy(&r, record, sizeof(r));
    count = (bytes - sizeof(r)) / sizeof(double);
    for (size_t i = all->count; i-- > 0 && !b;)
        if (all->list[i].process == (uint32_t)image->process && all->list[i].number == r.benchmark)
            b = &all->list[i];
    if (!b)
        return true; /* beyond the bounds, or its beginning was lost: counted there */
    if (r.first != b->arrived || count > b->counts.samples - b->arrived)
        return false;
    memcpy(b->samples_ns + b->arrived, record + sizeof(r), count * sizeof(double));
    if (!are_times(b->samples_ns + b->arrived, count))
        return false;
    b->arrived += (uint32_t)count;
    return true;
}

void scopes_record(struct scopes *scopes, int32_t process, const void *record, size_t bytes)
{
    struct image *image = image_of(scopes, process);
    uint32_t word = 0;
    bool good = true;

    if (bytes >= sizeof(word))
        memcpy(&word, record, sizeof(word));
    switch (RS_RECORD_KIND(word)) {
    case RS_RECORD_SITE:
        good = take_site(scopes, image, record, bytes);
        break;
    case RS_RECORD_PATH:
        good = take_path(scopes, image, record, bytes);
        break;
    case RS_RECORD_PATH_STATS:
    case RS_RECORD_PATH_HISTOGRAM:
    case RS_RECORD_PATH_WORST:
    case RS_RECORD_PATH_TASK:
        good = take_figures(scopes, image, RS_RECORD_KIND(word), record, bytes);
        break;
    case RS_RECORD_SCOPES_CLOCK:
        good = take_clock(image, record, bytes);
        break;
    case RS_RECORD_SCOPES_RESET:
        for (size_t i = 0; i < image->path_count; i++)
            forget_figures(scopes, &image->paths[i]);
        break;
    case RS_RECORD_MARK:
        good = take_mark(scopes, image, record, bytes);
        break;
    case RS_RECORD_BENCHMARK:
        good = take_benchmark(scopes, image, record, bytes);
        break;
    case RS_RECORD_BENCHMARK_SAMPLES:
        good = take_benchmark_samples(scopes, image, record, bytes);
        break;
    case RS_RECORD_SESSION_TEXT:
        good = take_text(scopes, image, record, bytes);
        break;
    default:
        break; /* of a later library */
    }
    scopes->garbage += !good;
}

/* ---- into the session ---- */

/* All processes' trees below one root, and whose each path is. */
struct forest {
    struct rs_scope_path *paths;
    struct rs_scope_site *sites; /* functions: one per name and file */
    string_id *names, *files;    /* of the sites */
    struct image **owners;       /* of the paths */
    int32_t *rows;               /* of the paths; -1: never called */
    size_t path_count, site_count;
};

static uint32_t site_in(struct forest *f, const struct scopes *scopes, const struct image *image, uint32_t site)
{
    struct site from = site < image->site_count ? image->sites[site] : (struct site){0};

    for (uint32_t i = 1; i < f->site_count; i++)
        if (f->names[i] == from.name && f->files[i] == from.file)
            return i;
    f->names[f->site_count] = from.name;
    f->files[f->site_count] = from.file;
    f->sites[f->site_count] =
        (struct rs_scope_site){strings_get(&scopes->s->strings, from.name), strings_get(&scopes->s->strings, from.file),
                               from.line, from.flags};
    return (uint32_t)f->site_count++;
}

static void plant(struct forest *f, struct scopes *scopes, struct image *image)
{
    uint32_t base = (uint32_t)f->path_count - 1; /* path 1 goes to the next place */
    uint32_t *sites = xcalloc(image->site_count + 1, sizeof(*sites));

    for (size_t i = 1; i < image->path_count; i++) {
        const struct path *from = &image->paths[i];
        struct rs_scope_path *p = &f->paths[f->path_count];
        uint32_t site = from->site < image->site_count ? from->site : 0;

        if (!sites[site])
            sites[site] = site_in(f, scopes, image, site);
        p->parent = from->parent ? base + from->parent : 0;
        p->site = sites[site];
        p->stats = from->stats;
        p->task = from->task;
        memcpy(p->worst, from->worst, sizeof(p->worst));
        p->histogram = from->histogram;
        f->owners[f->path_count++] = image;
    }
    free(sites);
}

static struct forest grow(struct scopes *scopes)
{
    size_t paths = 1, sites = 1;
    struct forest f = {0};

    for (size_t i = 0; i < scopes->image_count; i++) {
        paths += scopes->images[i].path_count;
        sites += scopes->images[i].site_count + 1;
    }
    f.paths = xcalloc(paths, sizeof(*f.paths));
    f.owners = xcalloc(paths, sizeof(*f.owners));
    f.rows = xcalloc(paths, sizeof(*f.rows));
    f.sites = xcalloc(sites, sizeof(*f.sites));
    f.names = xcalloc(sites, sizeof(*f.names));
    f.files = xcalloc(sites, sizeof(*f.files));
    rs_scope_stats_init(&f.paths[0].stats);
    f.path_count = f.site_count = 1;
    for (size_t i = 0; i < scopes->image_count; i++)
        if (scopes->images[i].clock_known)
            plant(&f, scopes, &scopes->images[i]);
    rs_scope_finish(f.paths, f.path_count);
    return f;
}

static void fell(struct forest *f)
{
    free(f->paths);
    free(f->owners);
    free(f->rows);
    free(f->sites);
    free(f->names);
    free(f->files);
}

/* What came from outside may be anything. */
static uint64_t whole_ns(double ns)
{
    return ns > 0 && ns < 9e18 ? (uint64_t)(ns + 0.5) : 0;
}

/* A call of IMAGE, in ns of the session. */
static struct scope_call in_session_ns(const struct session *s, const struct image *image,
                                       const struct rustscope_worst *w)
{
    const struct rs_wire_scopes_clock *c = &image->clock;
    double mono_ns = (double)c->mono_ns + (double)(int64_t)(w->end_ticks - c->ticks) * c->ns_per_tick;

    return (struct scope_call){session_at(s, whole_ns(mono_ns)), whole_ns((double)w->ticks * c->ns_per_tick),
                               w->sigmas};
}

/* Adds TASK, in ticks of NS_PER_TICK, to INTO. */
static void add_task_figures(struct scope_task_figures *into, const struct rs_scope_task *task, double ns_per_tick)
{
    uint64_t max_poll_ns = whole_ns((double)task->max_poll_ticks * ns_per_tick);

    into->started += task->started;
    into->completed += task->completed;
    into->cancelled += task->cancelled;
    into->polls += task->polls;
    into->busy_ns += whole_ns((double)task->busy_ticks * ns_per_tick);
    into->idle_ns += whole_ns((double)task->idle_ticks * ns_per_tick);
    into->scheduled_ns += whole_ns((double)task->scheduled_ticks * ns_per_tick);
    into->first_delay_ns += whole_ns((double)task->first_delay_ticks * ns_per_tick);
    into->lifetime_ns += whole_ns((double)task->lifetime_ticks * ns_per_tick);
    if (max_poll_ns > into->max_poll_ns)
        into->max_poll_ns = max_poll_ns;
}

/* The session's task NAME of PROCESS, added when it is new. */
static struct scope_task *task_of(struct session_scopes *out, string_id name, uint32_t process)
{
    for (size_t i = 0; i < out->task_count; i++)
        if (out->tasks[i].name == name && out->tasks[i].process == process)
            return &out->tasks[i];
    out->tasks = xreallocarray(out->tasks, out->task_count + 1, sizeof(*out->tasks));
    out->tasks[out->task_count] = (struct scope_task){name, process, {0}};
    return &out->tasks[out->task_count++];
}

static void add_lists(struct session *s, const struct forest *f, size_t path)
{
    const struct rs_scope_path *p = &f->paths[path];
    const struct image *image = f->owners[path];
    struct session_scopes *out = &s->scopes;
    string_id name = f->names[p->site];
    uint32_t process = (uint32_t)image->process;

    for (int i = 0; i < RUSTSCOPE_WORST_KEPT; i++) {
        if (!(p->worst[i].sigmas > 0) || out->outlier_count >= OUTLIERS_MAX)
            continue;
        out->outliers = xreallocarray(out->outliers, out->outlier_count + 1, sizeof(*out->outliers));
        out->outliers[out->outlier_count++] =
            (struct scope_outlier){name, f->rows[path], process, in_session_ns(s, image, &p->worst[i])};
    }
    if (p->stats.violations) {
        out->violations = xreallocarray(out->violations, out->violation_count + 1, sizeof(*out->violations));
        out->violations[out->violation_count++] =
            (struct scope_violation){name, process, whole_ns((double)p->stats.budget_ticks * image->clock.ns_per_tick),
                                     p->stats.violations, in_session_ns(s, image, &p->stats.worst_violation)};
    }
    if (p->task.started || p->task.polls)
        add_task_figures(&task_of(out, name, process)->figures, &p->task, image->clock.ns_per_tick);
}

static void add_rows(struct session *s, struct forest *f)
{
    struct session_scopes *out = &s->scopes;

    out->rows = xcalloc(f->path_count, sizeof(*out->rows));
    f->rows[0] = -1;
    for (size_t i = 1; i < f->path_count; i++) {
        const struct rs_scope_path *p = &f->paths[i];
        struct scope_row *row = &out->rows[out->row_count];

        f->rows[i] = -1;
        if (!p->seen)
            continue;
        f->rows[i] = (int32_t)out->row_count++;
        *row = (struct scope_row){
            f->names[p->site], f->files[p->site], (uint32_t)f->owners[i]->process, f->rows[p->parent], {0}};
        rs_scope_path_figures(p, &f->sites[p->site], f->owners[i]->clock.ns_per_tick, &row->figures);
        add_lists(s, f, i);
    }
}

static void add_functions(struct session *s, struct forest *f, const struct image *first)
{
    uint64_t *scratch = xcalloc(RUSTSCOPE_HISTOGRAM_BUCKETS, sizeof(*scratch));
    const char *exe = strings_get(&s->strings, s->processes[first->process].exe);
    string_id module = strings_add_str(&s->strings, rs_path_base(exe));
    uint32_t *starts = xcalloc(f->site_count + 1, sizeof(*starts));
    uint32_t *members = xcalloc(f->path_count, sizeof(*members));
    struct rustscope_function figures;

    rs_scope_by_site(f->paths, f->path_count, f->site_count, starts, members);
    for (uint32_t site = 1; site < f->site_count; site++) {
        struct function *into;

        if (!rs_scope_function_figures(f->paths, members + starts[site], starts[site + 1] - starts[site],
                                       &f->sites[site], first->clock.ns_per_tick, scratch, &figures))
            continue;
        if (s->function_count >= MAX_FUNCTIONS) {
            session_count_folded(s, "functions", 1);
            break;
        }
        s->functions = xreallocarray(s->functions, s->function_count + 1, sizeof(*s->functions));
        into = &s->functions[s->function_count++];
        *into = (struct function){.name = f->names[site],
                                  .module = module,
                                  .file = f->files[site],
                                  .line = figures.line,
                                  .layer = LAYER_USER,
                                  .source = FUNCTION_INSTRUMENTED,
                                  .figures = figures};
    }
    free(scratch);
    free(starts);
    free(members);
}

static void add_clock(struct session_scopes *out, const struct image *image)
{
    static const char *const clocks[] = {"tsc", "cntvct", "clock_gettime"};
    static const char *const modes[] = {"default", "precise", "sampled", "count"};
    const struct rs_wire_scopes_clock *c = &image->clock;

    out->clocks = xreallocarray(out->clocks, out->clock_count + 1, sizeof(*out->clocks));
    out->clocks[out->clock_count++] =
        (struct scope_clock){(uint32_t)image->process,
                             {.clock = clocks[c->clock <= RS_WIRE_CLOCK_GETTIME ? c->clock : RS_WIRE_CLOCK_GETTIME],
                              .mode = modes[c->mode],
                              .resolution_ns = c->resolution_ns,
                              .overhead_ns = c->overhead_ns,
                              .inside_ns = c->inside_ns,
                              .precise_offset_ns = c->precise_offset_ns,
                              .skipped = c->skipped,
                              .folded_paths = c->folded_paths,
                              .threads = c->threads}};
}

void scopes_finish(struct scopes *scopes)
{
    const struct image *first = NULL;
    struct session *s = scopes->s;
    size_t broken_off;
    struct forest f;

    session_scopes_release(&s->scopes);
    for (size_t i = 0; i < scopes->image_count; i++) {
        if (!scopes->images[i].clock_known)
            continue;
        first = first ? first : &scopes->images[i];
        add_clock(&s->scopes, &scopes->images[i]);
    }
    if (first) {
        f = grow(scopes);
        add_rows(s, &f);
        add_functions(s, &f, first);
        fell(&f);
    }
    broken_off = session_benchmarks_summarize(&s->benchmarks);
    if (broken_off)
        session_count_folded(s, "benchmarks", broken_off);
    if (scopes->garbage)
        session_set_folded(s, "broken_scope_records", scopes->garbage);
    if (scopes->beyond)
        session_set_folded(s, "scope_paths", scopes->beyond);
}
