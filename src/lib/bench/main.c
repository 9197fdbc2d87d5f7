/* SPDX-License-Identifier: MIT */
/*
 * The program around benchmarks: which ones, in how many processes, compared with what, printed how.
 *
 * --processes N runs this program N times, each time at other addresses and with the stack shifted, and measures a part
 * of the time in each: how a process is laid out moves a benchmark by more than its interval tells, and one process
 * cannot know by how much. What is saved or compared takes five by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bench_math.h"
#include "core/path.h"
#include "lib/bench/bench.h"
#include "lib/clock.h"
#include "lib/link.h"
#include "lib/os.h"
#include "lib/report.h"
#include "lib/state.h"

extern char **environ;

enum { PROCESSES_MAX = 64, PROCESSES_TO_COMPARE = 5, FILTERS_MAX = 32, ARGS_BYTES = 1 << 16, ARGS_MAX = 4096 };

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_GOOGLE, FORMAT_BMF };

struct options {
    const char *program;
    const char *filters[FILTERS_MAX];
    int filter_count;
    const char *save, *baseline, *output;
    enum format format;
    double noise, time_sec;
    uint32_t processes, samples;
    bool list, quick;
};

static struct rustscope_bench_entry *first_entry, **last_entry = &first_entry;
static struct rs_bench_list measured;

/* The pipe to the process that started this one for --processes; -1 in that one. */
static int to_parent = -1;

static void write_measured(struct rs_json *j)
{
    if (!measured.count)
        return;
    rs_json_key(j, "benchmarks");
    rs_json_array_begin(j);
    for (size_t i = 0; i < measured.count; i++)
        if (!measured.results[i].refusal)
            rs_bench_json(j, measured.results[i].name, &measured.results[i].counts, &measured.results[i].summary,
                          measured.results[i].samples_ns, false);
    rs_json_array_end(j);
    rs_json_newline(j);
}

/* ---- what there is ---- */

void rustscope_bench_register(struct rustscope_bench_entry *entry)
{
    entry->next = NULL;
    *last_entry = entry;
    last_entry = &entry->next;
}

void rustscope_bench_declare(struct rustscope_bench_entry *entry, const char *name, ...)
{
    entry->name = name;
}

/* Kept in ascending order: in RS_BENCH's parentheses they are evaluated in whatever order the compiler likes. */
int rustscope_bench_add_n(struct rustscope_bench_entry *entry, int64_t n)
{
    uint32_t at = entry->n_count;

    if (at >= sizeof(entry->n) / sizeof(*entry->n))
        return -ENOSPC;
    for (; at && entry->n[at - 1] > n; at--)
        entry->n[at] = entry->n[at - 1];
    entry->n[at] = n;
    entry->n_count++;
    return 0;
}

int rustscope_bench_add_range(struct rustscope_bench_entry *entry, int64_t low, int64_t high, int64_t factor)
{
    int rc = 0;

    if (low < 1 || high < low || factor < 2)
        return -EINVAL;
    for (int64_t n = low; n < high && !rc; n = n > high / factor ? high : n * factor)
        rc = rustscope_bench_add_n(entry, n);
    return rc ? rc : rustscope_bench_add_n(entry, high);
}

int rustscope_bench_add_threads(struct rustscope_bench_entry *entry, uint32_t threads)
{
    uint32_t at = entry->thread_count;

    if (!threads)
        return -EINVAL;
    if (at >= sizeof(entry->threads) / sizeof(*entry->threads))
        return -ENOSPC;
    for (; at && entry->threads[at - 1] > threads; at--)
        entry->threads[at] = entry->threads[at - 1];
    entry->threads[at] = threads;
    entry->thread_count++;
    return 0;
}

int rustscope_bench_set(struct rustscope_bench_entry *entry, uint64_t time_ms, uint32_t samples, uint64_t batch)
{
    if (time_ms)
        entry->config.time_ns = time_ms * 1000000;
    if (samples)
        entry->config.samples = samples;
    if (batch)
        entry->config.batch = batch;
    return 0;
}

/* ---- the command line ---- */

static void help(const struct options *o)
{
    printf("Usage: %s [OPTIONS] [NAME…]\n"
           "\n"
           "Runs benchmarks and prints the time of one iteration. NAME is a part of a benchmark's name, or a pattern "
           "with\n"
           "* and ?; several may be given.\n"
           "\n"
           "  -f, --filter NAME     the same as NAME alone\n"
           "  -l, --list            print the names and end\n"
           "  -s, --save NAME       keep the results as baseline NAME\n"
           "  -b, --baseline NAME   compare with baseline NAME\n"
           "      --noise PERCENT   a change that does not matter (1)\n"
           "  -p, --processes N     measure in N processes, whose layouts differ (1; 5 to save or to compare)\n"
           "  -q, --quick           a fifth of the time: for trying things out\n"
           "      --time SECONDS    to measure each benchmark (0.5)\n"
           "      --samples N       to take of each benchmark (100)\n"
           "      --json            print a session of rustscope's instead of the table\n"
           "      --format FORMAT   table, json, google (for its compare.py), bmf (for Bencher)\n"
           "  -o, --output FILE     write there instead of to standard output\n"
           "  -h, --help\n"
           "\n"
           "Baselines are files in $RUSTSCOPE_BENCH_DIR/%s, by default .rustscope/bench/%s.\n"
           "Exit status: 0; 1 when a benchmark regressed or could not be measured; 2 for a wrong command line.\n",
           o->program, o->program, o->program);
}

static __attribute__((format(printf, 2, 3))) int usage(const struct options *o, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", o->program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (--help lists the options)\n");
    return 2;
}

static bool number_of(const char *text, double least, double most, double *out)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && !*end && *out >= least && *out <= most;
}

static bool is_file_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static int take_number(struct options *o, int option, const char *text)
{
    double value;

    switch (option) {
    case 'n':
        if (!number_of(text, 0, 1000, &value))
            return usage(o, "--noise wants a percentage, not \"%s\"", text);
        o->noise = value / 100;
        return 0;
    case 'p':
        if (!number_of(text, 1, PROCESSES_MAX, &value))
            return usage(o, "--processes wants a number from 1 to 64, not \"%s\"", text);
        o->processes = (uint32_t)value;
        return 0;
    case 't':
        if (!number_of(text, 1e-6, 86400, &value))
            return usage(o, "--time wants seconds, not \"%s\"", text);
        o->time_sec = value;
        return 0;
    default:
        if (!number_of(text, 2, RS_BENCH_SAMPLES_MAX, &value))
            return usage(o, "--samples wants a number from 2 to 100000, not \"%s\"", text);
        o->samples = (uint32_t)value;
        return 0;
    }
}

static int take_format(struct options *o, const char *text)
{
    static const char *const names[] = {"table", "json", "google", "bmf"};

    for (int i = 0; i < 4; i++) {
        if (!strcmp(text, names[i])) {
            o->format = (enum format)i;
            return 0;
        }
    }
    return usage(o, "--format is one of table, json, google, bmf, not \"%s\"", text);
}

static int take_filter(struct options *o, const char *text)
{
    if (o->filter_count == FILTERS_MAX)
        return usage(o, "more than 32 names: \"%s\"", text);
    o->filters[o->filter_count++] = text;
    return 0;
}

/* 0: go on; else the exit status plus one. */
static int take_options(struct options *o, int argc, char **argv)
{
    static const struct option known[] = {
        {"filter", 1, NULL, 'f'},  {"list", 0, NULL, 'l'},      {"save", 1, NULL, 's'},   {"baseline", 1, NULL, 'b'},
        {"noise", 1, NULL, 'n'},   {"processes", 1, NULL, 'p'}, {"quick", 0, NULL, 'q'},  {"time", 1, NULL, 't'},
        {"samples", 1, NULL, 'S'}, {"json", 0, NULL, 'j'},      {"format", 1, NULL, 'F'}, {"output", 1, NULL, 'o'},
        {"help", 0, NULL, 'h'},    {"bench", 0, NULL, 'B'}, /* cargo bench says so */
        {NULL, 0, NULL, 0},
    };
    int option, rc = 0;

    opterr = 0;
    optind = 1;
    while (!rc && (option = getopt_long(argc, argv, ":f:ls:b:p:qo:h", known, NULL)) != -1) {
        switch (option) {
        case 'f':
            rc = take_filter(o, optarg);
            break;
        case 'l':
            o->list = true;
            break;
        case 's':
        case 'b':
            if (!is_file_name(optarg))
                rc = usage(o, "a baseline has a name without slashes, not \"%s\"", optarg);
            *(option == 's' ? &o->save : &o->baseline) = optarg;
            break;
        case 'q':
            o->quick = true;
            break;
        case 'j':
            o->format = FORMAT_JSON;
            break;
        case 'F':
            rc = take_format(o, optarg);
            break;
        case 'o':
            o->output = optarg;
            break;
        case 'B':
            break;
        case 'h':
            help(o);
            return 1;
        case ':':
            rc = usage(o, "%s wants a value", argv[optind - 1]);
            break;
        case '?':
            rc = usage(o, "there is no option %s", argv[optind - 1]);
            break;
        default:
            rc = take_number(o, option, optarg);
        }
    }
    while (!rc && optind < argc)
        rc = take_filter(o, argv[optind++]);
    if (!o->processes)
        o->processes = o->save || o->baseline ? PROCESSES_TO_COMPARE : 1;
    return rc ? rc + 1 : 0;
}

/* ---- the plan ---- */

/* One benchmark with its parameters. */
struct item {
    struct rustscope_bench_entry *entry;
    struct rustscope_bench_config config;
    char name[256];
    bool has_n;
};

static bool is_wanted(const struct options *o, const char *name)
{
    for (int i = 0; i < o->filter_count; i++) {
        const char *filter = o->filters[i];

        if (strpbrk(filter, "*?[") ? !fnmatch(filter, name, 0) : strstr(name, filter) != NULL)
            return true;
    }
    return !o->filter_count;
}

/* What OPTIONS and the number of processes make of the benchmark's own settings. */
static void set_config(const struct options *o, struct item *item)
{
    struct rustscope_bench_config *c = &item->config;
    double time_ns = c->time_ns ? (double)c->time_ns : 500e6, warmup_ns = c->warmup_ns ? (double)c->warmup_ns : 100e6;
    uint32_t samples = o->samples ? o->samples : c->samples ? c->samples : 100;

    if (o->time_sec)
        time_ns = o->time_sec * 1e9;
    if (o->quick) {
        time_ns /= 5;
        warmup_ns /= 5;
    }
    c->size = sizeof(*c);
    c->time_ns = (uint64_t)(time_ns / o->processes) + 1;
    c->warmup_ns = (uint64_t)(o->processes > 1 ? warmup_ns / 2 : warmup_ns) + 1;
    /* 0 lets long iterations have fewer. */
    if (o->samples || item->entry->config.samples || o->processes > 1) {
        c->samples = samples / o->processes;
        c->samples = c->samples < 10 && o->processes > 1 ? 10 : c->samples;
    }
    c->seed = c->seed ? c->seed : 1;
}

/* All benchmarks that are wanted; the caller frees them. NULL without memory. */
static struct item *plan(const struct options *o, size_t *count)
{
    struct item *items = NULL, *more, one;

    *count = 0;
    for (struct rustscope_bench_entry *e = first_entry; e; e = e->next) {
        if (e->declare && !e->name)
            e->declare(e);
        for (uint32_t n = 0; n < (e->n_count ? e->n_count : 1); n++) {
            for (uint32_t t = 0; t < (e->thread_count ? e->thread_count : 1); t++) {
                int len = snprintf(one.name, sizeof(one.name), "%s", e->name ? e->name : "?");

                one.entry = e;
                one.config = e->config;
                one.has_n = e->n_count > 0;
                if (one.has_n) {
                    one.config.n = e->n[n];
                    if (len < (int)sizeof(one.name))
                        len += snprintf(one.name + len, sizeof(one.name) - (size_t)len, "/%lld", (long long)e->n[n]);
                }
                if (e->thread_count) {
                    one.config.threads = e->threads[t];
                    if (len < (int)sizeof(one.name))
                        snprintf(one.name + len, sizeof(one.name) - (size_t)len, "/threads:%u", e->threads[t]);
                }
                if (!is_wanted(o, one.name))
                    continue;
                set_config(o, &one);
                more = realloc(items, (*count + 1) * sizeof(*items));
                if (!more) {
                    free(items);
                    return NULL;
                }
                items = more;
                items[(*count)++] = one;
            }
        }
    }
    return items ? items : calloc(1, sizeof(*items));
}

/* ---- measuring ---- */

static bool measure(const struct item *item, struct rs_bench_result *r)
{
    int rc;

    memset(r, 0, sizeof(*r));
    r->name = strdup(item->name);
    r->family = strdup(item->entry->name ? item->entry->name : "?");
    rc = rs_bench_measure(&item->config, item->entry->run, item->entry->ctx, r);
    if (item->has_n)
        r->counts.flags |= RS_BENCH_HAS_N;
    if (rc)
        r->refusal = strdup(rc == -ENODATA ? rustscope_why() : strerror(-rc));
    if (r->name && r->family && (!rc || r->refusal))
        return true;
    rs_bench_result_release(r);
    return false;
}

/* Adds what another process measured of the same benchmark. */
static bool join(struct rs_bench_result *into, struct rs_bench_result *from)
{
    uint32_t each = into->counts.samples / into->counts.processes, more;
    double *samples;

    if (into->refusal || from->refusal) {
        if (!into->refusal) {
            into->refusal = from->refusal;
            from->refusal = NULL;
        }
        return true;
    }
    /* Equally many from each: the surplus of the longer ones goes. */
    more = from->counts.samples < each ? from->counts.samples : each;
    samples = malloc((size_t)more * (into->counts.processes + 1) * sizeof(*samples));
    if (!samples)
        return false;
    for (uint32_t i = 0; i < into->counts.processes; i++)
        memcpy(samples + (size_t)i * more, into->samples_ns + (size_t)i * each, more * sizeof(*samples));
    memcpy(samples + (size_t)into->counts.processes * more, from->samples_ns, more * sizeof(*samples));
    free(into->samples_ns);
    into->samples_ns = samples;
    into->counts.processes++;
    into->counts.samples = more * into->counts.processes;
    into->counts.iterations += from->counts.iterations;
    into->counts.warmup_iterations += from->counts.warmup_iterations;
    into->counts.alloc_bytes += from->counts.alloc_bytes;
    into->counts.alloc_blocks += from->counts.alloc_blocks;
    into->counts.flags |= from->counts.flags;
    return true;
}

/* ---- other processes ---- */

/* The program's own arguments where the system tells them, else those that we were given. */
static char **own_arguments(int argc, char **argv)
{
    static char text[ARGS_BYTES], *args[ARGS_MAX];
    long len = rs_os_arguments(text, ARGS_BYTES);
    size_t count = 0;

    if (len > 0 && len < ARGS_BYTES) {
        for (char *at = text; at < text + len && count < ARGS_MAX - 1; at += strlen(at) + 1)
            args[count++] = at;
    } else {
        for (; count < (size_t)argc && count < ARGS_MAX - 1; count++)
            args[count] = argv[count];
    }
    args[count] = NULL;
    return args;
}

/* Our environment without RUSTSCOPE_OUT (the child has no report to write), with FD and a pad that shifts the stack. */
static char **child_environment(char *fd_text, char *pad)
{
    size_t count = 0, kept = 0;
    char **out;

    while (environ[count])
        count++;
    out = calloc(count + 3, sizeof(*out));
    if (!out)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "RUSTSCOPE_OUT=", 14))
            out[kept++] = environ[i];
    out[kept++] = fd_text;
    out[kept++] = pad;
    return out;
}

/* Runs this program again and reads what it measures into LIST. 0, or a negative errno. */
static int run_again(int argc, char **argv, uint32_t number, struct rs_bench_list *list)
{
    char path[4096], fd_text[64], pad[4200] = "RUSTSCOPE_BENCH_PAD=";
    char **args = own_arguments(argc, argv), **environment;
    posix_spawn_file_actions_t actions;
    uint64_t random = rs_clock_mono_ns_of(rs_clock_ticks(), 1) + number;
    long len = rs_os_executable(path, sizeof(path) - 1);
    int pipe_fds[2], status, rc;
    pid_t child;
    FILE *from;

    if (len <= 0)
        snprintf(path, sizeof(path), "%s", argv[0]);
    else
        path[len] = '\0';
    memset(pad + strlen(pad), 'x', rs_random_below(&random, 4096));
    if (pipe(pipe_fds))
        return -errno;
    fcntl(pipe_fds[0], F_SETFD, FD_CLOEXEC);
    snprintf(fd_text, sizeof(fd_text), "RUSTSCOPE_BENCH_CHILD=%d", pipe_fds[1]);
    environment = child_environment(fd_text, pad);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    rc = environment ? -posix_spawn(&child, path, &actions, NULL, args, environment) : -ENOMEM;
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    free(environment);
    from = fdopen(pipe_fds[0], "r");
    if (!rc && from) {
        rc = rs_bench_text_read(from, list);
        fclose(from);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (!rc && (!WIFEXITED(status) || WEXITSTATUS(status)))
            rc = -ECHILD;
    }
    return rc;
}

static int measure_in_processes(const struct options *o, int argc, char **argv)
{
    for (uint32_t p = 0; p < o->processes; p++) {
        struct rs_bench_list list = {0};
        int rc;

        if (isatty(2))
            fprintf(stderr, "\rprocess %u of %u\033[K", p + 1, o->processes);
        rc = run_again(argc, argv, p, &list);
        for (size_t i = 0; i < list.count && !rc; i++) {
            struct rs_bench_result *r = &list.results[i];
            struct rs_bench_result *known = (struct rs_bench_result *)(uintptr_t)rs_bench_list_find(&measured, r->name);

            if (known ? !join(known, r) : !rs_bench_list_add(&measured, r))
                rc = -ENOMEM;
        }
        rs_bench_list_release(&list);
        if (isatty(2))
            fprintf(stderr, "\r\033[K");
        if (rc) {
            fprintf(stderr, "%s: process %u of %u: %s\n", o->program, p + 1, o->processes,
                    rc == -ECHILD ? "it ended before its benchmarks were done" : strerror(-rc));
            return rc;
        }
    }
    for (size_t i = 0; i < measured.count; i++)
        if (!measured.results[i].refusal && rs_bench_result_summarize(&measured.results[i], 1))
            return -ENOMEM;
    return 0;
}

/* We are one of those processes. */
static int serve_parent(const struct item *items, size_t count)
{
    FILE *to = fdopen(to_parent, "w");
    struct rs_bench_result r;

    if (!to)
        return 1;
    for (size_t i = 0; i < count; i++) {
        if (!measure(&items[i], &r))
            return 1;
        rs_bench_text_write(to, &r);
        fflush(to);
        rs_bench_result_release(&r);
    }
    return fclose(to) ? 1 : 0;
}

/* ---- baselines ---- */

static void baseline_path(const struct options *o, const char *name, char *path, size_t size)
{
    const char *dir = getenv("RUSTSCOPE_BENCH_DIR");

    snprintf(path, size, "%s/%s/%s.bench", dir && *dir ? dir : ".rustscope/bench", o->program, name);
}

static void make_folders(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777); /* what is not there shows when the file is opened */
        *slash = '/';
    }
}

static int load(const struct options *o, const char *name, struct rs_bench_list *list)
{
    char path[4096];
    FILE *from;
    int rc;

    baseline_path(o, name, path, sizeof(path));
    from = fopen(path, "re");
    if (!from)
        return -errno;
    rc = rs_bench_text_read(from, list);
    fclose(from);
    return rc;
}

/* Keeps what the baseline has of benchmarks that did not run now. */
static int save(const struct options *o)
{
    char path[4096], beside[4200];
    struct rs_bench_list old = {0};
    FILE *to;
    int rc = 0;

    baseline_path(o, o->save, path, sizeof(path));
    make_folders(path);
    if (load(o, o->save, &old))
        rs_bench_list_release(&old);
    snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
    to = fopen(beside, "we");
    if (!to) {
        rc = -errno;
    } else {
        for (size_t i = 0; i < old.count; i++)
            if (!rs_bench_list_find(&measured, old.results[i].name))
                rs_bench_text_write(to, &old.results[i]);
        for (size_t i = 0; i < measured.count; i++)
            if (!measured.results[i].refusal)
                rs_bench_text_write(to, &measured.results[i]);
        if (fflush(to) || ferror(to))
            rc = -EIO;
        if (fclose(to))
            rc = -errno;
        if (!rc && rename(beside, path))
            rc = -errno;
        if (rc)
            unlink(beside);
    }
    rs_bench_list_release(&old);
    if (rc)
        fprintf(stderr, "%s: cannot write %s: %s\n", o->program, path, strerror(-rc));
    return rc;
}

/* ---- the whole ---- */

/* What happened to R since BASELINE; NULL when that does not have it. */
static const struct rs_bench_change *change_of(const struct options *o, const struct rs_bench_list *baseline,
                                               const struct rs_bench_result *r, struct rs_bench_change *change)
{
    const struct rs_bench_result *old = o->baseline ? rs_bench_list_find(baseline, r->name) : NULL;

    if (!old || r->refusal || old->refusal || !rs_bench_results_compare(old, r, o->noise, change))
        return NULL;
    return change;
}

static int print_rest(const struct options *o, FILE *to, const struct rs_bench_style *style)
{
    switch (o->format) {
    case FORMAT_TABLE:
        rs_bench_table_growth(to, style, &measured);
        return 0;
    case FORMAT_JSON:
        fflush(to);
        return rs_report_write_to(fileno(to));
    case FORMAT_GOOGLE:
        return rs_bench_write_google(to, &measured, o->program);
    default:
        return rs_bench_write_bmf(to, &measured);
    }
}

/* One result is there: to the CLI, into the table. True when it is bad news. */
static bool report_one(const struct options *o, FILE *to, const struct rs_bench_style *style,
                       const struct rs_bench_list *baseline, const struct rs_bench_result *r)
{
    struct rs_bench_change change;
    const struct rs_bench_change *known = change_of(o, baseline, r, &change);

    if (!r->refusal)
        rs_link_benchmark(r->name, &r->counts, r->samples_ns);
    if (o->format == FORMAT_TABLE)
        rs_bench_table_row(to, style, r, known);
    else if (r->refusal)
        fprintf(stderr, "%s: %s: %s\n", o->program, r->name, r->refusal);
    else if (known && change.verdict == RS_BENCH_REGRESSED)
        fprintf(stderr, "%s: %s regressed by %.1f %% [%.1f, %.1f]\n", o->program, r->name, 100 * (change.ratio - 1),
                100 * (change.low - 1), 100 * (change.high - 1));
    return r->refusal || (known && change.verdict == RS_BENCH_REGRESSED);
}

static int run_and_print(const struct options *o, const struct item *items, size_t count,
                         const struct rs_bench_list *baseline, FILE *to, int argc, char **argv)
{
    struct rs_bench_style style = {.compares = o->baseline != NULL, .name_width = 9};
    struct rs_bench_result r;
    bool bad = false;
    int rc;

    rs_bench_style_init(&style, to);
    for (size_t i = 0; i < count; i++)
        style.name_width =
            strlen(items[i].name) > style.name_width ? (unsigned)strlen(items[i].name) : style.name_width;
    style.name_width = style.name_width > 48 ? 48 : style.name_width;
    if (o->processes > 1 && measure_in_processes(o, argc, argv))
        return 1;
    if (o->format == FORMAT_TABLE)
        rs_bench_table_head(to, &style);
    for (size_t i = 0; i < count; i++) {
        const struct rs_bench_result *known;

        if (o->processes == 1 && (!measure(&items[i], &r) || !rs_bench_list_add(&measured, &r)))
            return 1;
        known = rs_bench_list_find(&measured, items[i].name);
        bad |= !known || report_one(o, to, &style, baseline, known);
    }
    rc = print_rest(o, to, &style);
    if (fflush(to) || ferror(to))
        rc = rc ? rc : -EIO;
    if (rc)
        fprintf(stderr, "%s: cannot write the results: %s\n", o->program, strerror(-rc));
    if (o->save && save(o))
        rc = -EIO;
    return bad || rc;
}

static int run(const struct options *o, int argc, char **argv)
{
    struct rs_bench_list baseline = {0};
    struct item *items;
    FILE *to = stdout;
    size_t count;
    int rc = 0;

    items = plan(o, &count);
    if (!items)
        return 1;
    if (o->list) {
        for (size_t i = 0; i < count; i++)
            puts(items[i].name);
    } else if (!count) {
        rc = first_entry ? usage(o, "no benchmark is called %s", o->filters[0])
                         : usage(o, "this program has no benchmarks");
    } else if (to_parent >= 0) {
        rc = serve_parent(items, count);
    } else if (o->baseline && (rc = load(o, o->baseline, &baseline))) {
        char path[4096];

        baseline_path(o, o->baseline, path, sizeof(path));
        fprintf(stderr, "%s: cannot read the baseline %s: %s\n", o->program, path, strerror(-rc));
        rc = 2;
    } else if (o->output && !(to = fopen(o->output, "we"))) {
        fprintf(stderr, "%s: cannot write %s: %s\n", o->program, o->output, strerror(errno));
        rc = 2;
    } else {
        rc = run_and_print(o, items, count, &baseline, to, argc, argv);
        if (to != stdout && fclose(to))
            rc = 1;
    }
    rs_bench_list_release(&baseline);
    free(items);
    return rc;
}

int rustscope_bench_main(int argc, char **argv)
{
    struct options o = {.program = rs_path_base(argc > 0 ? argv[0] : "bench"), .noise = 0.01};
    const char *child = getenv("RUSTSCOPE_BENCH_CHILD");
    int rc;

    rs_init();
    rs_report_set_benchmarks(write_measured);
    if (child) {
        to_parent = atoi(child);
        fcntl(to_parent, F_SETFD, FD_CLOEXEC);
        unsetenv("RUSTSCOPE_BENCH_CHILD"); /* what the benchmarks start is none */
        unsetenv("RUSTSCOPE_BENCH_PAD");
    }
    rc = take_options(&o, argc, argv);
    return rc ? rc - 1 : run(&o, argc, argv);
}
