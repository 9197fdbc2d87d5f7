/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analyze/gate/comparison.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/text.h"
#include "file/session_file.h"
#include "report/compare_report.h"
#include "report/summary.h"

enum format { FORMAT_TEXT, FORMAT_MARKDOWN, FORMAT_JSON, FORMAT_GITHUB };

struct file_list {
    char **paths;
    size_t count;
};

struct compare_command {
    struct file_list files[ARMS];
    struct comparison_options comparison;
    const char *window;
    enum format format;
    size_t top;
    bool help;
};

enum { MOST_SESSIONS = 10000, TOP_ROWS = 10, OPT_BASE = 256, OPT_NEW };

static const struct option long_options[] = {
    {"base", required_argument, NULL, OPT_BASE},
    {"new", required_argument, NULL, OPT_NEW},
    {"threshold", required_argument, NULL, 't'},
    {"floor", required_argument, NULL, 'f'},
    {"metric", required_argument, NULL, 'm'},
    {"only", required_argument, NULL, 'o'},
    {"fail-on", required_argument, NULL, 'F'},
    {"top", required_argument, NULL, 'n'},
    {"window", required_argument, NULL, 'w'},
    {"only-my-code", no_argument, NULL, 'c'},
    {"markdown", no_argument, NULL, 'M'},
    {"json", no_argument, NULL, 'j'},
    {"github", no_argument, NULL, 'g'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void help(void)
{
    fputs("usage: rustscope compare [OPTIONS] BASE.json NEW.json\n"
          "       rustscope compare [OPTIONS] --base FILE... --new FILE...\n"
          "What got slower or bigger, how sure that is, and who did it. FILE: a session,\n"
          "gzipped or not, or a folder of them. Times need several runs a side.\n"
          "      --threshold T[,E]  changes up to T % of times and memory and E % of counts\n"
          "                         and sizes that repeat are none (default 5,1)\n"
          "      --floor LIST       smaller changes a run are none (default 1ms,64KiB,8)\n"
          "      --metric LIST      only these, which then decide: wall, cpu, heap_peak,\n"
          "                         allocations, ...; self_cpu, total_cpu of functions\n"
          "      --only PATTERN     only functions, scopes, benchmarks and paths with\n"
          "                         PATTERN (* ^ $) in their names; they decide then\n"
          "      --fail-on WHAT     minor (default), moderate (from 10 %), critical (25 %),\n"
          "                         any (functions and paths, too) or none\n"
          "      --window FROM..TO  only that part of each run, as in report\n"
          "      --only-my-code     no functions and paths of dependencies and the system\n"
          "      --top N            rows of a table (default 10)\n"
          "      --markdown         for a pull request\n"
          "      --json             for machines: compare.schema.json\n"
          "      --github           annotations of GitHub Actions\n"
          "  -h, --help\n\n"
          "Exit status: 0 nothing regressed, 1 something did, 2 usage, 3 nothing to compare\n"
          "or not fit for it: the sentence says why.\n",
          stdout);
}

/* ---- arguments ---- */

static void add_path(struct file_list *list, const char *path)
{
    list->paths = xreallocarray(list->paths, list->count + 1, sizeof(*list->paths));
    list->paths[list->count++] = xstrdup(path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sessions in a folder (not below it), by name; a file is itself. */
static int add_files(struct file_list *list, const char *path, struct rs_err *err)
{
    size_t first = list->count;
    struct dirent *entry;
    struct stat st;
    DIR *folder;

    if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
        add_path(list, path);
        return 0;
    }
    folder = opendir(path);
    if (!folder)
        return rs_err_set(err, -errno, "cannot read the folder %s: %s", path, strerror(errno));
    while ((entry = readdir(folder))) {
        char *file;

        if (!text_ends_with(entry->d_name, ".json") && !text_ends_with(entry->d_name, ".json.gz"))
            continue;
        file = xasprintf("%s/%s", path, entry->d_name);
        add_path(list, file);
        free(file);
    }
    closedir(folder);
    if (list->count == first)
        return rs_err_set(err, -EINVAL, "there are no sessions (*.json, *.json.gz) in the folder %s", path);
    qsort(list->paths + first, list->count - first, sizeof(*list->paths), by_name);
    return 0;
}

/* Percent at TEXT, behind which END or the text's end must stand. */
static int percent(const char *text, char end, double *part, struct rs_err *err)
{
    char *rest;
    double value = strtod(text, &rest);

    if (*rest == '%')
        rest++;
    if (rest == text || (*rest && *rest != end) || !(value >= 0.01 && value <= 1000))
        return rs_err_set(err, -EINVAL,
                          "--threshold takes per cent, from 0.01 to 1000: --threshold 5 or --threshold 5,1 (not %s)",
                          text);
    *part = value / 100;
    return 0;
}

static int thresholds(struct gate_limits *limits, const char *text, struct rs_err *err)
{
    const char *comma = strchr(text, ',');
    int rc = percent(text, ',', &limits->threshold, err);

    return rc || !comma ? rc : percent(comma + 1, '\0', &limits->exact_threshold, err);
}

static int one_floor(struct gate_limits *limits, const char *text, size_t len)
{
    static const struct {
        const char *unit;
        double factor;
        enum figure_unit kind;
    } units[] = {{"ns", 1, UNIT_NS},
                 {"us", 1e3, UNIT_NS},
                 {"ms", 1e6, UNIT_NS},
                 {"s", 1e9, UNIT_NS},
                 {"B", 1, UNIT_BYTES},
                 {"kB", 1e3, UNIT_BYTES},
                 {"KiB", 1024, UNIT_BYTES},
                 {"MB", 1e6, UNIT_BYTES},
                 {"MiB", 1048576, UNIT_BYTES},
                 {"GB", 1e9, UNIT_BYTES},
                 {"GiB", 1073741824.0, UNIT_BYTES},
                 {"", 1, UNIT_COUNT}};
    double *const floors[] = {&limits->floor_ns, &limits->floor_bytes, &limits->floor_count};
    char *rest;
    double value = strtod(text, &rest);

    if (rest == text || !(value >= 0) || !isfinite(value))
        return -EINVAL;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (strlen(units[i].unit) == (size_t)(text + len - rest) &&
            !strncmp(units[i].unit, rest, strlen(units[i].unit))) {
            *floors[units[i].kind] = value * units[i].factor;
            return 0;
        }
    return -EINVAL;
}

static int floors(struct gate_limits *limits, const char *text, struct rs_err *err)
{
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, ",");

        if (one_floor(limits, p, len))
            return rs_err_set(err, -EINVAL,
                              "--floor takes a time, a size or a number, as in --floor 2ms,64KiB,10 (not %.*s)",
                              (int)(len < 40 ? len : 40), p);
        p += len + (p[len] == ',');
    }
    return *text ? 0 : rs_err_set(err, -EINVAL, "--floor takes a time, a size or a number, as in --floor 2ms,64KiB,10");
}

static int fail_on(enum fail_on *what, const char *text, struct rs_err *err)
{
    static const char *const names[] = {[FAIL_ON_MINOR] = "minor",
                                        [FAIL_ON_MODERATE] = "moderate",
                                        [FAIL_ON_CRITICAL] = "critical",
                                        [FAIL_ON_ANY] = "any",
                                        [FAIL_ON_NONE] = "none"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!strcmp(text, names[i])) {
            *what = (enum fail_on)i;
            return 0;
        }
    return rs_err_set(err, -EINVAL, "--fail-on takes any, minor, moderate, critical or none, not %s", text);
}

static int rows(size_t *top, const char *text, struct rs_err *err)
{
    char *rest;
    long value = strtol(text, &rest, 10);

    if (rest == text || *rest || value < 1 || value > 10000)
        return rs_err_set(err, -EINVAL, "--top takes a number of rows from 1 to 10000, not %s", text);
    *top = (size_t)value;
    return 0;
}

static int set_format(struct compare_command *o, enum format format, struct rs_err *err)
{
    if (o->format != FORMAT_TEXT && o->format != format)
        return rs_err_set(err, -EINVAL, "choose one of --markdown, --json and --github");
    o->format = format;
    return 0;
}

static int one_option(struct compare_command *o, int option, char **argv, struct rs_err *err)
{
    switch (option) {
    case OPT_BASE:
        return add_files(&o->files[ARM_BASE], optarg, err);
    case OPT_NEW:
        return add_files(&o->files[ARM_NEXT], optarg, err);
    case 't':
        return thresholds(&o->comparison.limits, optarg, err);
    case 'f':
        return floors(&o->comparison.limits, optarg, err);
    case 'm':
        o->comparison.metrics = optarg;
        return comparison_check_metrics(optarg, err);
    case 'o':
        o->comparison.only = optarg;
        return *optarg ? 0 : rs_err_set(err, -EINVAL, "--only takes a pattern");
    case 'F':
        return fail_on(&o->comparison.fail_on, optarg, err);
    case 'n':
        return rows(&o->top, optarg, err);
    case 'w':
        o->window = optarg;
        return 0;
    case 'c':
        o->comparison.only_my_code = true;
        return 0;
    case 'M':
        return set_format(o, FORMAT_MARKDOWN, err);
    case 'j':
        return set_format(o, FORMAT_JSON, err);
    case 'g':
        return set_format(o, FORMAT_GITHUB, err);
    case 'h':
        o->help = true;
        return 0;
    case ':':
        return rs_err_set(err, -EINVAL, "%s needs a value (rustscope compare --help)", argv[optind - 1]);
    default:
        return rs_err_set(err, -EINVAL, "compare does not know %s (rustscope compare --help)", argv[optind - 1]);
    }
}

/* BASE NEW; or what stands behind --base and --new, up to the next option. */
static int parse(struct compare_command *o, int argc, char **argv, struct rs_err *err)
{
    int arm = -1, loose = 0, option, rc = 0;

    opterr = 0;
    optind = 0;
    while (!rc && (option = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1) {
        if (option == 1) {
            if (arm < 0 && loose >= ARMS)
                return rs_err_set(err, -EINVAL, "compare takes two sessions; for more: --base FILE... --new FILE...");
            rc = add_files(&o->files[arm < 0 ? loose++ : arm], optarg, err);
            continue;
        }
        arm = option == OPT_BASE ? ARM_BASE : option == OPT_NEW ? ARM_NEXT : arm;
        if (arm >= 0 && loose)
            return rs_err_set(err, -EINVAL, "give two sessions, or --base FILE... --new FILE..., not both");
        rc = one_option(o, option, argv, err);
    }
    if (rc || o->help)
        return rc;
    for (; optind < argc; optind++) {
        rc = arm < 0 && loose >= ARMS
                 ? rs_err_set(err, -EINVAL, "compare takes two sessions; for more: --base FILE... --new FILE...")
                 : add_files(&o->files[arm < 0 ? loose++ : arm], argv[optind], err);
        if (rc)
            return rc;
    }
    if (!o->files[ARM_BASE].count || !o->files[ARM_NEXT].count)
        return rs_err_set(err, -EINVAL, "compare takes two sessions: rustscope compare BASE.json NEW.json");
    if (o->files[ARM_BASE].count + o->files[ARM_NEXT].count > MOST_SESSIONS)
        return rs_err_set(err, -EINVAL, "these are more than %d sessions", MOST_SESSIONS);
    return 0;
}

/* ---- running ---- */

static void apply_window(struct compare_command *o, struct comparison *c, const struct session *s, const char *path)
{
    struct time_window window;
    struct rs_err err;

    if (!o->window)
        return;
    if (time_window_parse(s, o->window, &window, &err))
        die(2, "%s: %s", path, err.text);
    if (window.to_ns > s->duration_ns)
        window.to_ns = s->duration_ns;
    if (window.from_ns >= window.to_ns)
        die(2, "--window %s lies outside %s, which is %s long", o->window, path,
            fmt_span((double)s->duration_ns / 1e9).s);
    c->options.collect = (struct collect_options){true, window};
}

/* One session in memory at a time: its figures are taken and it goes. */
static void read_arm(struct compare_command *o, struct comparison *c, enum arm arm)
{
    for (size_t i = 0; i < o->files[arm].count; i++) {
        const char *path = o->files[arm].paths[i];
        struct rs_err err;
        struct session *s = session_read_file(path, &err);

        if (!s)
            die(3, "%s", err.text);
        apply_window(o, c, s, path);
        comparison_add(c, arm, s, path);
        session_free(s);
    }
}

static int into_stdout(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    return fwrite(bytes, 1, len, stdout) == len ? 0 : -EIO;
}

static void print(const struct compare_command *o, const struct comparison *c)
{
    struct summary_options terminal = {0};

    switch (o->format) {
    case FORMAT_MARKDOWN:
        compare_markdown(stdout, c, o->top);
        break;
    case FORMAT_JSON:
        if (!compare_json(c, into_stdout, NULL))
            putchar('\n');
        break;
    case FORMAT_GITHUB:
        compare_github(stdout, c);
        break;
    default:
        summary_options_for(stdout, &terminal);
        compare_print(stdout, c, &(struct compare_page){terminal.cols, terminal.charset, terminal.colour, o->top});
    }
}

static void release(struct compare_command *o, struct comparison *c)
{
    comparison_release(c);
    for (int arm = 0; arm < ARMS; arm++) {
        for (size_t i = 0; i < o->files[arm].count; i++)
            free(o->files[arm].paths[i]);
        free(o->files[arm].paths);
    }
}

int cmd_compare(int argc, char **argv)
{
    struct compare_command o = {.comparison.limits = gate_limits_default(), .top = TOP_ROWS};
    struct comparison c = {0};
    struct rs_err err;
    int status;

    if (parse(&o, argc, argv, &err))
        die(2, "%s", err.text);
    if (o.help) {
        help();
        release(&o, &c);
        return 0;
    }
    c.options = o.comparison;
    read_arm(&o, &c, ARM_BASE);
    read_arm(&o, &c, ARM_NEXT);
    comparison_conclude(&c);
    signal(SIGPIPE, SIG_DFL);
    print(&o, &c);
    status = comparison_status(&c);
    if (fflush(stdout) || ferror(stdout))
        die(3, "cannot write the comparison: %s", strerror(errno));
    release(&o, &c);
    return status;
}
