/* SPDX-License-Identifier: MIT */
#include "run/record_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

enum {
    OPT_DELAY = 256,
    OPT_STACK_SIZE,
    OPT_STACK_EVENT,
    OPT_OFF_CPU,
    OPT_NO_STACKS,
    OPT_NO_ALLOC,
    OPT_NO_FOLLOW,
    OPT_KEEP,
    OPT_WAIT_ALL,
    OPT_NO_TUI,
    OPT_NAME,
    OPT_TAG,
    OPT_LABEL,
    OPT_REDACT,
    OPT_SPIKE_MEM,
    OPT_SPIKE_CPU,
    OPT_SUPPRESS,
    OPT_DEBUGINFOD,
    OPT_PID,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"duration", required_argument, NULL, 'd'},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"output", required_argument, NULL, 'o'},
    {"rate", required_argument, NULL, 'r'},
    {"stack-rate", required_argument, NULL, 'F'},
    {"stack-size", required_argument, NULL, OPT_STACK_SIZE},
    {"stack-event", required_argument, NULL, OPT_STACK_EVENT},
    {"off-cpu", no_argument, NULL, OPT_OFF_CPU},
    {"no-stacks", no_argument, NULL, OPT_NO_STACKS},
    {"no-alloc", no_argument, NULL, OPT_NO_ALLOC},
    {"no-follow", no_argument, NULL, OPT_NO_FOLLOW},
    {"keep", no_argument, NULL, OPT_KEEP},
    {"wait-all", no_argument, NULL, OPT_WAIT_ALL},
    {"no-tui", no_argument, NULL, OPT_NO_TUI},
    {"name", required_argument, NULL, OPT_NAME},
    {"tag", required_argument, NULL, OPT_TAG},
    {"label", required_argument, NULL, OPT_LABEL},
    {"redact", no_argument, NULL, OPT_REDACT},
    {"spike-mem", required_argument, NULL, OPT_SPIKE_MEM},
    {"spike-cpu", required_argument, NULL, OPT_SPIKE_CPU},
    {"suppress", required_argument, NULL, OPT_SUPPRESS},
    {"debuginfod", no_argument, NULL, OPT_DEBUGINFOD},
    {"pid", required_argument, NULL, OPT_PID},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

void record_options_help(void)
{
    fputs("usage: rustscope [record] [OPTIONS] -- PROGRAM [ARGS...]\n"
          "       rustscope [record] [OPTIONS] --pid PID\n"
          "Run a program (or attach to one) and write what it did to one JSON.\n\n"
          "  -o, --output FILE      default rustscope-last.json; *.json.gz is gzipped\n"
          "  -d, --duration SEC     end after SEC (default: when the program ends)\n"
          "      --delay SEC        start measuring SEC after the start\n"
          "  -r, --rate HZ          process metrics, 1-1000 (default 100)\n"
          "  -F, --stack-rate HZ    sampled call stacks (default 997)\n"
          "      --stack-size BYTES stack copied with each sample (default 49152)\n"
          "      --stack-event EVENT  cpu-clock (default) or cycles\n"
          "      --off-cpu          also record where threads wait\n"
          "      --no-stacks        no sampled call stacks\n"
          "      --no-alloc         no allocation tracking\n"
          "      --no-follow        the program alone, not its children\n"
          "      --keep             leave the program running at the end of -d\n"
          "      --wait-all         record until the last process that it started has ended\n"
          "      --spike-mem MB     memory growth in a second that counts (default 5)\n"
          "      --spike-cpu PCT    CPU that counts (default 80; 100 is one core)\n"
          "      --suppress FILE    leaks not to report, LeakSanitizer's format\n"
          "      --name NAME, --tag TAG, --label KEY=VALUE   kept in the session\n"
          "      --redact           leave out arguments and home paths\n"
          "      --debuginfod       fetch missing symbols (needs DEBUGINFOD_URLS)\n"
          "      --no-tui  no live screen   -q, --quiet  no report   -h, --help   --version\n",
          stdout);
}

int option_number(const char *option, const char *text, double min, double max, double *value, struct rs_err *err)
{
    char *end;
    double number;

    errno = 0;
    number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || number < min || number > max)
        return rs_err_set(err, -EINVAL, "%s must be a number from %g to %g, not '%s'", option, min, max, text);
    *value = number;
    return 0;
}

static int option_unsigned(const char *option, const char *text, double min, double max, unsigned *value,
                           struct rs_err *err)
{
    double number;
    int rc = option_number(option, text, min, max, &number, err);

    if (rc)
        return rc;
    if (number != floor(number))
        return rs_err_set(err, -EINVAL, "%s must be a whole number, not '%s'", option, text);
    *value = (unsigned)number;
    return 0;
}

static void add(const char ***list, size_t *count, const char *text)
{
    for (size_t i = 0; i < *count; i++)
        if (!strcmp((*list)[i], text))
            return;
    *list = xreallocarray(*list, *count + 1, sizeof(**list));
    (*list)[(*count)++] = text;
}

static int parse_one(struct record_options *o, int option, const char *text, struct rs_err *err)
{
    unsigned number;

    switch (option) {
    case 'd':
        return option_number("--duration", text, 0, 1e8, &o->duration_sec, err);
    case OPT_DELAY:
        return option_number("--delay", text, 0, 1e8, &o->delay_sec, err);
    case 'o':
        o->output = text;
        return *text ? 0 : rs_err_set(err, -EINVAL, "--output needs a file name");
    case 'r':
        return option_unsigned("--rate", text, 1, 1000, &o->rate_hz, err);
    case 'F':
        return option_unsigned("--stack-rate", text, 1, 10000, &o->stack_rate_hz, err);
    case OPT_STACK_SIZE:
        return option_unsigned("--stack-size", text, 1024, 65528, &o->stack_bytes, err);
    case OPT_STACK_EVENT:
        o->cycles = !strcmp(text, "cycles");
        if (!o->cycles && strcmp(text, "cpu-clock") != 0)
            return rs_err_set(err, -EINVAL, "--stack-event is cpu-clock or cycles, not '%s'", text);
        return 0;
    case OPT_SPIKE_MEM:
        return option_number("--spike-mem", text, 0.1, 1e7, &o->spike_mem_mb, err);
    case OPT_SPIKE_CPU:
        return option_number("--spike-cpu", text, 1, 1e6, &o->spike_cpu_pct, err);
    case OPT_PID:
        if (option_unsigned("--pid", text, 1, 4194304, &number, err))
            return -EINVAL;
        o->pid = (pid_t)number;
        return 0;
    case OPT_LABEL:
        if (!strchr(text, '=') || *text == '=')
            return rs_err_set(err, -EINVAL, "--label takes KEY=VALUE, not '%s'", text);
        add(&o->labels, &o->label_count, text);
        return 0;
    case OPT_TAG:
        add(&o->tags, &o->tag_count, text);
        return 0;
    case OPT_NAME:
        o->name = text;
        return 0;
    case OPT_SUPPRESS:
        o->suppress_file = text;
        return 0;
    case OPT_OFF_CPU:
        o->off_cpu = true;
        return 0;
    case OPT_NO_STACKS:
        o->no_stacks = true;
        return 0;
    case OPT_NO_ALLOC:
        o->no_alloc = true;
        return 0;
    case OPT_NO_FOLLOW:
        o->no_follow = true;
        return 0;
    case OPT_KEEP:
        o->keep = true;
        return 0;
    case OPT_WAIT_ALL:
        o->wait_all = true;
        return 0;
    case OPT_NO_TUI:
        o->no_tui = true;
        return 0;
    case OPT_REDACT:
        o->redact = true;
        return 0;
    case OPT_DEBUGINFOD:
        o->debuginfod = true;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case 'h':
        o->help = true;
        return 0;
    case OPT_VERSION:
        o->version = true;
        return 0;
    default:
        return rs_err_set(err, -EINVAL, "this option is not known");
    }
}

/*
 * Whether OPTION means something where only a FIFO connects programs with us: nothing is read of their processes there,
 * they are neither ours to start nor to stop, and they said what they record when they were started.
 */
static bool is_for_listening(int option)
{
    switch (option) {
    case 'd':
    case 'o':
    case 'q':
    case 'h':
    case OPT_NO_TUI:
    case OPT_NAME:
    case OPT_TAG:
    case OPT_LABEL:
    case OPT_REDACT:
    case OPT_SUPPRESS:
    case OPT_DEBUGINFOD:
        return true;
    default:
        return false;
    }
}

static int check_fifo(const struct record_options *o, int rest, struct rs_err *err)
{
    if (o->help)
        return 0;
    if (!rest)
        return rs_err_set(err, -EINVAL, "listen needs the path of a FIFO: rustscope listen [OPTIONS] FIFO");
    if (rest > 1)
        return rs_err_set(err, -EINVAL, "listen takes one FIFO, not %d: rustscope listen [OPTIONS] FIFO", rest);
    if (!*o->argv[0])
        return rs_err_set(err, -EINVAL, "the FIFO's path is empty");
    return 0;
}

/* `rustscope ./app`: a path to a file needs no -- before it, since no command has a slash in its name. */
static bool is_path_to_program(const char *word)
{
    struct stat st;

    return strchr(word, '/') && !stat(word, &st) && S_ISREG(st.st_mode);
}

static int check_together(const struct record_options *o, bool separated, int rest, struct rs_err *err)
{
    if (o->help || o->version)
        return 0;
    if (o->pid && rest)
        return rs_err_set(err, -EINVAL, "either --pid or a program to run, not both");
    if (o->keep && !o->pid && !o->duration_sec)
        return rs_err_set(err, -EINVAL, "--keep leaves the program running at the end of --duration: give that too");
    if (o->wait_all && o->pid)
        return rs_err_set(err, -EINVAL, "--wait-all is for a program that rustscope starts, not for --pid");
    if (o->wait_all && o->no_follow)
        return rs_err_set(err, -EINVAL,
                          "--wait-all waits for the processes that --no-follow leaves out: give one of them");
    if (o->pid)
        return 0;
    if (!rest)
        return rs_err_set(err, -EINVAL, "name a program to run: rustscope [OPTIONS] -- PROGRAM [ARGS...]");
    if (!separated && !is_path_to_program(o->argv[0]))
        return rs_err_set(err, -EINVAL, "put -- before the program: rustscope [OPTIONS] -- PROGRAM [ARGS...]");
    return 0;
}

/* The word of the option that getopt has just taken: it stands before its value, or has it inside. */
static const char *option_word(char **argv, const char *value)
{
    return argv[optind - 1] == value ? argv[optind - 2] : argv[optind - 1];
}

int record_options_parse(struct record_options *o, enum record_options_of of, int argc, char **argv, struct rs_err *err)
{
    /* A program's own options are behind the first word that is none of ours; a FIFO has none. */
    const char *letters = of == RECORD_OPTIONS ? "+:d:o:r:F:qh" : ":d:o:r:F:qh";
    int option, rc;

    *o = (struct record_options){
        .output = "rustscope-last.json", .rate_hz = 100, .stack_rate_hz = 997, .spike_mem_mb = 5, .spike_cpu_pct = 80};
    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        const char *word = argv[optind - 1];

        if (option == ':')
            return rs_err_set(err, -EINVAL, "%s needs a value", word);
        if (option == '?')
            return rs_err_set(err, -EINVAL, "%s is not an option of rustscope (see rustscope --help)", word);
        if (of == LISTEN_OPTIONS && !is_for_listening(option))
            return rs_err_set(err, -EINVAL,
                              "%s means nothing to rustscope listen, which gets allocations and scopes alone "
                              "(rustscope listen --help)",
                              option_word(argv, optarg));
        rc = parse_one(o, option, optarg, err);
        if (rc)
            return rc;
    }
    o->argv = argv + optind;
    o->argc = argc - optind;
    if (of == LISTEN_OPTIONS)
        return check_fifo(o, o->argc, err);
    return check_together(o, optind > 0 && !strcmp(argv[optind - 1], "--"), o->argc, err);
}

void record_options_release(struct record_options *o)
{
    free(o->tags);
    free(o->labels);
    o->tags = o->labels = NULL;
}
