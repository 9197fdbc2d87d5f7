/* SPDX-License-Identifier: MIT */
#include "run/bench_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/words.h"
#include "run/record_options.h"

enum {
    OPT_VS = 256,
    OPT_REFERENCE,
    OPT_REFERENCE_NAME,
    OPT_SEQUENTIAL,
    OPT_UNTIL,
    OPT_TIMEOUT,
    OPT_CONFIRM,
    OPT_THRESHOLD,
    OPT_RECORD,
    OPT_SORT,
    OPT_SHOW_OUTPUT,
    OPT_OUTPUT,
    OPT_INPUT,
    OPT_MIN_TIME,
    OPT_EXPORT, /* + enum bench_format */
};

static const struct option long_options[] = {
    {"warmup", required_argument, NULL, 'w'},
    {"min-runs", required_argument, NULL, 'm'},
    {"max-runs", required_argument, NULL, 'M'},
    {"runs", required_argument, NULL, 'r'},
    {"min-benchmarking-time", required_argument, NULL, OPT_MIN_TIME},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"vs", required_argument, NULL, OPT_VS},
    {"confirm", no_argument, NULL, OPT_CONFIRM},
    {"threshold", required_argument, NULL, OPT_THRESHOLD},
    {"record", required_argument, NULL, OPT_RECORD},
    {"reference", required_argument, NULL, OPT_REFERENCE},
    {"reference-name", required_argument, NULL, OPT_REFERENCE_NAME},
    {"sequential", no_argument, NULL, OPT_SEQUENTIAL},
    {"setup", required_argument, NULL, 's'},
    {"prepare", required_argument, NULL, 'p'},
    {"conclude", required_argument, NULL, 'C'},
    {"cleanup", required_argument, NULL, 'c'},
    {"parameter-scan", required_argument, NULL, 'P'},
    {"parameter-step-size", required_argument, NULL, 'D'},
    {"parameter-list", required_argument, NULL, 'L'},
    {"shell", required_argument, NULL, 'S'},
    {"ignore-failure", optional_argument, NULL, 'i'},
    {"command-name", required_argument, NULL, 'n'},
    {"show-output", no_argument, NULL, OPT_SHOW_OUTPUT},
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"input", required_argument, NULL, OPT_INPUT},
    {"sort", required_argument, NULL, OPT_SORT},
    {"time-unit", required_argument, NULL, 'u'},
    {"export-json", required_argument, NULL, OPT_EXPORT + BENCH_JSON},
    {"export-csv", required_argument, NULL, OPT_EXPORT + BENCH_CSV},
    {"export-markdown", required_argument, NULL, OPT_EXPORT + BENCH_MARKDOWN},
    {"export-asciidoc", required_argument, NULL, OPT_EXPORT + BENCH_ASCIIDOC},
    {"export-orgmode", required_argument, NULL, OPT_EXPORT + BENCH_ORGMODE},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

void bench_options_help(void)
{
    fputs("usage: rustscope bench [OPTIONS] 'COMMAND'...     run by a shell, in turns\n"
          "       rustscope bench [OPTIONS] [--vs 'OLD'] -- PROGRAM [ARGS...]   without one\n"
          "How long they take, how sure that is, whether PROGRAM regressed against OLD.\n"
          "      --threshold PCT    smaller ones are none (5)     --record N (3) who did it\n"
          "      --confirm          a change must show in a second series, too\n"
          "  -w, --warmup N         runs that do not count       -r, --runs N    exactly N\n"
          "  -m, --min-runs N  (10)   -M, --max-runs N   --min-benchmarking-time SEC  (3)\n"
          "      --until PCT        go on until the mean is known to PCT per cent\n"
          "      --timeout SEC      a run that takes longer is killed and has failed\n"
          "  -s, --setup CMD, -c, --cleanup CMD     before and after a command's runs\n"
          "  -p, --prepare CMD, -C, --conclude CMD  before and after each run\n"
          "  -P, --parameter-scan VAR MIN MAX     {VAR};  -D, --parameter-step-size STEP\n"
          "  -L, --parameter-list VAR A,B,...     -i, --ignore-failure[=CODE,...]\n"
          "  -S, --shell SHELL|none, -N           -n, --command-name NAME\n"
          "      --reference CMD    others are relative to it;  --reference-name NAME\n"
          "      --sequential       one command after the other\n"
          "      --output null|pipe|inherit|FILE, --show-output     --input FILE\n"
          "      --sort auto|command|mean-time    -u, --time-unit UNIT\n"
          "      --export-json, --export-csv, --export-markdown, --export-asciidoc,\n"
          "      --export-orgmode FILE            - is standard output\n"
          "  -q, --quiet  no report               -h, --help\n\n"
          "Exit: 0; 1 failed, or regressed; 2 usage; 3 with --vs: no verdict; 126, 127\n",
          stdout);
}

/* ---- what is collected before arms are made of it ---- */

struct parameter_values {
    const char *name;
    char **values;
    size_t count;
};

struct list {
    const char **texts;
    size_t count;
};

struct parser {
    struct bench_options *o;
    struct list commands, names, prepares, concludes, cleanups, outputs;
    const char *setup, *vs, *reference, *reference_name, *shell, *step;
    char *program; /* what stands behind --, as one line */
    struct parameter_values *parameters;
    size_t parameter_count;
    const char *scan_name, *scan_min, *scan_max;
    char **argv;
    int argc;
};

static void add(struct list *list, const char *text)
{
    list->texts = xreallocarray(list->texts, list->count + 1, sizeof(*list->texts));
    list->texts[list->count++] = text;
}

static int number(const char *option, const char *text, double min, double max, unsigned *out, struct rs_err *err)
{
    double value;
    int rc = option_number(option, text, min, max, &value, err);

    if (rc)
        return rc;
    if (value != floor(value))
        return rs_err_set(err, -EINVAL, "%s must be a whole number, not '%s'", option, text);
    *out = (unsigned)value;
    return 0;
}

static struct parameter_values *add_parameter(struct parser *p, const char *name, struct rs_err *err)
{
    struct parameter_values *added;

    for (size_t i = 0; i < p->parameter_count; i++)
        if (!strcmp(p->parameters[i].name, name)) {
            rs_err_set(err, -EINVAL, "the parameter %s is given twice", name);
            return NULL;
        }
    if (!*name || strpbrk(name, "{}")) {
        rs_err_set(err, -EINVAL, "'%s' is not the name of a parameter", name);
        return NULL;
    }
    p->parameters = xreallocarray(p->parameters, p->parameter_count + 1, sizeof(*p->parameters));
    added = &p->parameters[p->parameter_count++];
    *added = (struct parameter_values){.name = name};
    return added;
}

static void add_value(struct parameter_values *parameter, const char *text, size_t len)
{
    parameter->values = xreallocarray(parameter->values, parameter->count + 1, sizeof(*parameter->values));
    parameter->values[parameter->count++] = xmemdup0(text, len);
}

/* A comma inside a value is written as \, there. */
static int parameter_list(struct parser *p, const char *name, const char *text, struct rs_err *err)
{
    struct parameter_values *parameter = add_parameter(p, name, err);
    char *value = xmalloc(strlen(text) + 1);
    size_t len = 0;

    for (; parameter; text++) {
        if (*text == '\\' && (text[1] == ',' || text[1] == '\\')) {
            value[len++] = *++text;
        } else if (*text && *text != ',') {
            value[len++] = *text;
        } else {
            add_value(parameter, value, len);
            len = 0;
            if (!*text)
                break;
        }
    }
    free(value);
    return parameter ? 0 : -EINVAL;
}

/* TEXT as a number of 10^-DECIMALS. */
static int decimal(const char *what, const char *text, unsigned decimals, int64_t *out, struct rs_err *err)
{
    double value;
    int rc = option_number(what, text, -1e9, 1e9, &value, err);

    *out = (int64_t)llround(value * pow(10, decimals));
    return rc;
}

static unsigned decimals_of(const char *text)
{
    const char *point = text ? strchr(text, '.') : NULL;
    size_t count = point ? strlen(point + 1) : 0;

    return count > 6 ? 6 : (unsigned)count;
}

static int parameter_scan(struct parser *p, struct rs_err *err)
{
    unsigned decimals = decimals_of(p->scan_min), more[] = {decimals_of(p->scan_max), decimals_of(p->step)};
    struct parameter_values *parameter;
    int64_t min, max, step;
    char text[64];

    for (size_t i = 0; i < 2; i++)
        decimals = more[i] > decimals ? more[i] : decimals;
    if (decimal("the least value of --parameter-scan", p->scan_min, decimals, &min, err) ||
        decimal("the largest value of --parameter-scan", p->scan_max, decimals, &max, err) ||
        decimal("--parameter-step-size", p->step ? p->step : "1", decimals, &step, err))
        return -EINVAL;
    if (step <= 0)
        return rs_err_set(err, -EINVAL, "--parameter-step-size must be above 0");
    if (max < min)
        return rs_err_set(err, -EINVAL, "--parameter-scan goes up: %s is more than %s", p->scan_min, p->scan_max);
    if ((max - min) / step >= BENCH_MOST_ARMS)
        return rs_err_set(err, -EINVAL, "--parameter-scan makes more than %d commands: choose a larger step",
                          BENCH_MOST_ARMS);
    parameter = add_parameter(p, p->scan_name, err);
    for (int64_t value = min; parameter && value <= max; value += step)
        add_value(parameter, text,
                  (size_t)snprintf(text, sizeof(text), "%.*f", (int)decimals, (double)value / pow(10, decimals)));
    return parameter ? 0 : -EINVAL;
}

static int failures(struct bench_options *o, const char *text, struct rs_err *err)
{
    o->ignore_failure = true;
    if (!text || !strcmp(text, "all-non-zero")) {
        memset(o->ignored, true, sizeof(o->ignored));
        return 0;
    }
    do {
        char *end;
        long code = strtol(text, &end, 10);

        if (end == text || (*end && *end != ',') || code < 1 || code > 255)
            return rs_err_set(err, -EINVAL, "--ignore-failure takes all-non-zero or statuses from 1 to 255, not '%s'",
                              text);
        o->ignored[code] = true;
        text = *end ? end + 1 : end;
    } while (*text);
    return 0;
}

static int one_of(const char *option, const char *text, const char *const *words, int count, int *out,
                  struct rs_err *err)
{
    char list[200] = "";

    for (int i = 0; i < count; i++) {
        if (!strcmp(text, words[i])) {
            *out = i;
            return 0;
        }
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", words[i]);
    }
    return rs_err_set(err, -EINVAL, "%s is one of %s, not '%s'", option, list, text);
}

/* The next word of ARGV as another value of the option that getopt has just taken. */
static const char *next_value(struct parser *p)
{
    return optind < p->argc ? p->argv[optind++] : NULL;
}

static int take_parameter(struct parser *p, int option, const char *name, struct rs_err *err)
{
    const char *second = next_value(p), *third = option == 'P' ? next_value(p) : NULL;

    if (option == 'L')
        return second ? parameter_list(p, name, second, err)
                      : rs_err_set(err, -EINVAL, "--parameter-list needs a name and its values: -L VAR A,B,C");
    if (!third)
        return rs_err_set(err, -EINVAL, "--parameter-scan needs a name and two numbers: -P VAR MIN MAX");
    if (p->scan_name)
        return rs_err_set(err, -EINVAL, "--parameter-scan can be given once");
    p->scan_name = name;
    p->scan_min = second;
    p->scan_max = third;
    return 0;
}

static int how_often(struct bench_options *o, int option, const char *text, struct rs_err *err)
{
    unsigned runs;

    switch (option) {
    case 'w':
        return number("--warmup", text, 0, BENCH_MOST_RUNS, &o->warmup, err);
    case 'm':
        return number("--min-runs", text, 1, BENCH_MOST_RUNS, &o->min_runs, err);
    case 'M':
        return number("--max-runs", text, 1, BENCH_MOST_RUNS, &o->max_runs, err);
    case 'r':
        if (number("--runs", text, 1, BENCH_MOST_RUNS, &runs, err))
            return -EINVAL;
        o->min_runs = o->max_runs = runs;
        return 0;
    case OPT_MIN_TIME:
        return option_number("--min-benchmarking-time", text, 0, 1e6, &o->min_seconds, err);
    case OPT_UNTIL:
        return option_number("--until", text, 0.01, 100, &o->until_pct, err);
    case OPT_RECORD:
        return number("--record", text, 0, 100, &o->record, err);
    case OPT_TIMEOUT:
        return option_number("--timeout", text, 0.001, 1e6, &o->timeout_sec, err);
    default:
        return option_number("--threshold", text, 0.01, 1000, &o->threshold_pct, err);
    }
}

static int what_is_shown(struct parser *p, int option, const char *text, struct rs_err *err)
{
    static const char *const sorts[] = {"auto", "command", "mean-time"};
    static const char *const units[] = {"microsecond", "millisecond", "second"};
    struct bench_options *o = p->o;
    int chosen;

    switch (option) {
    case OPT_SORT:
        if (one_of("--sort", text, sorts, 3, &chosen, err))
            return -EINVAL;
        o->sort = (enum bench_sort)chosen;
        return 0;
    case 'u':
        if (one_of("--time-unit", text, units, 3, &chosen, err))
            return -EINVAL;
        o->unit = (enum bench_unit)(chosen + 1);
        return 0;
    case OPT_SHOW_OUTPUT:
        add(&p->outputs, "inherit");
        return 0;
    case OPT_OUTPUT:
        add(&p->outputs, text);
        return *text ? 0 : rs_err_set(err, -EINVAL, "--output is null, pipe, inherit or a file");
    default:
        if (!*text)
            return rs_err_set(err, -EINVAL, "--export-… needs a file name");
        o->exports[option - OPT_EXPORT] = text;
        return 0;
    }
}

static int one_option(struct parser *p, int option, const char *text, struct rs_err *err)
{
    struct bench_options *o = p->o;

    switch (option) {
    case 1:
        add(&p->commands, text);
        return 0;
    case 'w':
    case 'm':
    case 'M':
    case 'r':
    case OPT_MIN_TIME:
    case OPT_UNTIL:
    case OPT_TIMEOUT:
    case OPT_THRESHOLD:
    case OPT_RECORD:
        return how_often(o, option, text, err);
    case OPT_VS:
        p->vs = text;
        return 0;
    case OPT_CONFIRM:
        o->confirm = true;
        return 0;
    case OPT_REFERENCE:
        p->reference = text;
        return 0;
    case OPT_REFERENCE_NAME:
        p->reference_name = text;
        return 0;
    case OPT_SEQUENTIAL:
        o->sequential = true;
        return 0;
    case 's':
        p->setup = text;
        return 0;
    case 'p':
        add(&p->prepares, text);
        return 0;
    case 'C':
        add(&p->concludes, text);
        return 0;
    case 'c':
        add(&p->cleanups, text);
        return 0;
    case 'P':
    case 'L':
        return take_parameter(p, option, text, err);
    case 'D':
        p->step = text;
        return 0;
    case 'S':
        p->shell = text;
        return 0;
    case 'N':
        p->shell = "none";
        return 0;
    case 'i':
        return failures(o, text, err);
    case 'n':
        add(&p->names, text);
        return 0;
    case OPT_INPUT:
        o->input = strcmp(text, "null") ? text : NULL;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case 'h':
        o->help = true;
        return 0;
    default:
        return what_is_shown(p, option, text, err);
    }
}

/* ---- arms ---- */

/* How LINE is run: by the shell, or taken apart here. */
static int how_to_run(const struct bench_options *o, const char *line, bool in_shell, char ***argv, struct rs_err *err)
{
    size_t words = 0;
    int count;

    if (!in_shell) {
        count = words_split(line, argv, err);
        if (count == 0) {
            words_free(*argv);
            *argv = NULL;
            return rs_err_set(err, -EINVAL, "an empty command cannot be run");
        }
        return count < 0 ? count : 0;
    }
    while (o->shell[words])
        words++;
    *argv = xcalloc(words + 3, sizeof(**argv));
    for (size_t i = 0; i < words; i++)
        (*argv)[i] = xstrdup(o->shell[i]);
    (*argv)[words] = xstrdup("-c");
    (*argv)[words + 1] = xstrdup(line);
    return 0;
}

static char *fill_in(const struct bench_arm *arm, const char *text)
{
    char *filled = xstrdup(text);

    for (size_t i = 0; i < arm->parameter_count; i++) {
        char *more = words_fill_in(filled, arm->parameters[i].name, arm->parameters[i].value);

        free(filled);
        filled = more;
    }
    return filled;
}

/* The command beside the runs for arm I, given once for all or once for each. */
static int beside(const struct parser *p, const struct bench_arm *arm, const struct list *list, size_t command,
                  char ***argv, struct rs_err *err)
{
    const char *text = list->count == 0 ? NULL : list->texts[list->count == 1 ? 0 : command];
    char *filled;
    int rc;

    if (!text || !*text)
        return 0;
    filled = fill_in(arm, text);
    rc = how_to_run(p->o, filled, p->o->shell != NULL, argv, err);
    free(filled);
    return rc;
}

/* COMBINATION of the parameters' values; a reference has none. */
static int add_arm(struct parser *p, size_t command, const char *name, size_t combination, bool in_shell,
                   struct rs_err *err)
{
    bool is_reference = p->o->has_reference && command == 0;
    struct bench_options *o = p->o;
    const struct list setup = {&p->setup, p->setup != NULL};
    struct bench_arm *arm;
    int rc;

    if (o->arm_count >= BENCH_MOST_ARMS)
        return rs_err_set(err, -EINVAL, "these are more than %d commands", BENCH_MOST_ARMS);
    o->arms = xreallocarray(o->arms, o->arm_count + 1, sizeof(*o->arms));
    arm = &o->arms[o->arm_count++];
    *arm = (struct bench_arm){.in_shell = in_shell, .parameter_count = is_reference ? 0 : p->parameter_count};
    arm->parameters = xcalloc(arm->parameter_count, sizeof(*arm->parameters));
    for (size_t i = 0; i < arm->parameter_count; i++) {
        const struct parameter_values *values = &p->parameters[i];

        arm->parameters[i] =
            (struct bench_parameter){xstrdup(values->name), xstrdup(values->values[combination % values->count])};
        combination /= values->count;
    }
    arm->line = fill_in(arm, p->commands.texts[command]);
    arm->name = fill_in(arm, name ? name : p->commands.texts[command]);
    arm->output = p->outputs.count == 0 ? "null" : p->outputs.texts[p->outputs.count == 1 ? 0 : command];
    rc = how_to_run(o, arm->line, in_shell, &arm->argv, err);
    if (!rc)
        rc = beside(p, arm, &setup, command, &arm->setup, err);
    if (!rc)
        rc = beside(p, arm, &p->prepares, command, &arm->prepare, err);
    if (!rc)
        rc = beside(p, arm, &p->concludes, command, &arm->conclude, err);
    return rc ? rc : beside(p, arm, &p->cleanups, command, &arm->cleanup, err);
}

static int check_count(const char *option, const struct list *list, size_t commands, struct rs_err *err)
{
    return list->count <= 1 || list->count == commands
               ? 0
               : rs_err_set(err, -EINVAL, "%s is given %zu times for %zu commands: give it once, or once for each",
                            option, list->count, commands);
}

static int make_arms(struct parser *p, struct rs_err *err)
{
    bool in_shell = p->o->shell && !p->program;
    size_t combinations = 1, index = 0;
    int rc = 0;

    for (size_t i = 0; i < p->parameter_count; i++)
        combinations *= p->parameters[i].count < BENCH_MOST_ARMS ? p->parameters[i].count : BENCH_MOST_ARMS;
    if (combinations > BENCH_MOST_ARMS)
        return rs_err_set(err, -EINVAL, "the parameters make more than %d commands", BENCH_MOST_ARMS);
    if (p->names.count > p->commands.count && p->names.count != p->commands.count * combinations)
        return rs_err_set(err, -EINVAL, "%zu names are given for %zu commands", p->names.count, p->commands.count);
    if (check_count("--prepare", &p->prepares, p->commands.count, err) ||
        check_count("--conclude", &p->concludes, p->commands.count, err) ||
        check_count("--cleanup", &p->cleanups, p->commands.count, err) ||
        check_count("--output", &p->outputs, p->commands.count, err))
        return -EINVAL;
    for (size_t i = 0; i < p->commands.count && !rc; i++) {
        size_t count = p->o->has_reference && i == 0 ? 1 : combinations;

        for (size_t c = 0; c < count && !rc; c++, index++) {
            size_t name = p->names.count > p->commands.count ? index : i;

            rc = add_arm(p, i, name < p->names.count ? p->names.texts[name] : NULL, c, in_shell, err);
        }
    }
    return rc;
}

static int choose_shell(struct parser *p, struct rs_err *err)
{
    const char *shell = p->shell && strcmp(p->shell, "default") ? p->shell : "sh";
    int count;

    if (!strcmp(shell, "none"))
        return 0;
    count = words_split(shell, &p->o->shell, err);
    return count > 0 ? 0 : count < 0 ? count : rs_err_set(err, -EINVAL, "--shell names no program");
}

/* The base comes first, whatever it is called. */
static void put_first(struct parser *p, const char *command, const char *name)
{
    struct list commands = {0}, names = {0};

    add(&commands, command);
    for (size_t i = 0; i < p->commands.count; i++)
        add(&commands, p->commands.texts[i]);
    if (name || p->names.count) {
        add(&names, name ? name : command);
        for (size_t i = 0; i < p->names.count; i++)
            add(&names, p->names.texts[i]);
        free(p->names.texts);
        p->names = names;
    }
    free(p->commands.texts);
    p->commands = commands;
}

static int check_together(struct parser *p, struct rs_err *err)
{
    struct bench_options *o = p->o;

    if (p->program && p->commands.count)
        return rs_err_set(err, -EINVAL, "give commands as words in quotes, or one program behind --, not both");
    if (p->program)
        add(&p->commands, p->program);
    if (!p->commands.count)
        return rs_err_set(err, -EINVAL,
                          "name a command to run: rustscope bench 'COMMAND' or rustscope bench -- PROGRAM");
    if (p->vs && p->reference)
        return rs_err_set(err, -EINVAL, "--vs and --reference both name the base: give one");
    if (p->vs && p->commands.count > 1)
        return rs_err_set(err, -EINVAL, "--vs judges one command, not %zu", p->commands.count);
    if (p->vs && (p->parameter_count || p->scan_name))
        return rs_err_set(err, -EINVAL, "--vs judges one command: it takes no parameters");
    if (o->confirm && !p->vs)
        return rs_err_set(err, -EINVAL, "--confirm belongs to --vs");
    if (p->reference_name && !p->reference)
        return rs_err_set(err, -EINVAL, "--reference-name belongs to --reference");
    if (p->step && !p->scan_name)
        return rs_err_set(err, -EINVAL, "--parameter-step-size belongs to --parameter-scan");
    if (o->max_runs && o->max_runs < o->min_runs) {
        if (o->min_runs != 10)
            return rs_err_set(err, -EINVAL, "--min-runs %u is more than --max-runs %u", o->min_runs, o->max_runs);
        o->min_runs = o->max_runs;
    }
    o->gate = p->vs != NULL;
    o->has_reference = o->gate || p->reference;
    if (o->has_reference)
        put_first(p, p->vs ? p->vs : p->reference, p->reference_name);
    /* A set-up that prepares for one command may undo what another one needs. */
    o->sequential = o->sequential || ((p->setup || p->cleanups.count) && !o->gate);
    return p->scan_name ? parameter_scan(p, err) : 0;
}

static int parse(struct parser *p, struct rs_err *err)
{
    int option, rc;

    opterr = 0;
    optind = 0;
    while ((option = getopt_long(p->argc, p->argv, "-:w:m:M:r:s:p:C:c:P:D:L:S:Ni::n:u:qh", long_options, NULL)) != -1) {
        const char *word = p->argv[optind - 1];

        if (option == ':')
            return rs_err_set(err, -EINVAL, "%s needs a value (rustscope bench --help)", word);
        if (option == '?')
            return rs_err_set(err, -EINVAL, "bench does not know %s (rustscope bench --help)", word);
        rc = one_option(p, option, optarg, err);
        if (rc || p->o->help)
            return rc;
    }
    if (optind < p->argc)
        p->program = words_join(p->argv + optind);
    rc = check_together(p, err);
    if (!rc)
        rc = choose_shell(p, err);
    return rc ? rc : make_arms(p, err);
}

int bench_options_parse(struct bench_options *o, int argc, char **argv, struct rs_err *err)
{
    struct parser p = {.o = o, .argv = argv, .argc = argc};
    int rc;

    *o = (struct bench_options){.min_runs = 10, .min_seconds = 3, .threshold_pct = 5, .record = 3};
    rc = parse(&p, err);
    for (size_t i = 0; i < p.parameter_count; i++) {
        for (size_t v = 0; v < p.parameters[i].count; v++)
            free(p.parameters[i].values[v]);
        free(p.parameters[i].values);
    }
    free(p.parameters);
    free(p.program);
    free(p.commands.texts);
    free(p.names.texts);
    free(p.prepares.texts);
    free(p.concludes.texts);
    free(p.cleanups.texts);
    free(p.outputs.texts);
    return rc;
}

void bench_options_release(struct bench_options *o)
{
    for (size_t i = 0; i < o->arm_count; i++) {
        struct bench_arm *arm = &o->arms[i];

        for (size_t k = 0; k < arm->parameter_count; k++) {
            free(arm->parameters[k].name);
            free(arm->parameters[k].value);
        }
        free(arm->parameters);
        free(arm->line);
        free(arm->name);
        words_free(arm->argv);
        words_free(arm->setup);
        words_free(arm->prepare);
        words_free(arm->conclude);
        words_free(arm->cleanup);
    }
    free(o->arms);
    words_free(o->shell);
    *o = (struct bench_options){0};
}
