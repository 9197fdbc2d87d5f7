/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/answers.h"
#include "base/err.h"
#include "convert/export.h"
#include "file/session_file.h"

struct export_options {
    const char *file, *output, *window;
    const struct export_format *format;
    struct question question;
    size_t max_samples;
    bool help;
};

enum { OPT_MAX_SAMPLES = 256 };

static const struct option long_options[] = {
    {"format", required_argument, NULL, 'f'}, {"output", required_argument, NULL, 'o'},
    {"metric", required_argument, NULL, 'm'}, {"window", required_argument, NULL, 'w'},
    {"thread", required_argument, NULL, 'T'}, {"process", required_argument, NULL, 'p'},
    {"only-my-code", no_argument, NULL, 'y'}, {"max-samples", required_argument, NULL, OPT_MAX_SAMPLES},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static const char *format_name(unsigned index)
{
    const struct export_format *format = export_format(index);

    return format ? format->name : NULL;
}

/* What NAME gives, as a list. */
static const char *list_of(const char *(*name)(unsigned))
{
    static char list[200];
    size_t len = 0;

    for (unsigned i = 0; name(i) && len < sizeof(list); i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", name(i));
    return list;
}

static void help(void)
{
    printf("usage: rustscope export SESSION.json [OPTIONS]\n"
           "Write the call stacks of a session for another tool.\n\n"
           "  -f, --format FORMAT      %s\n",
           list_of(format_name));
    fputs("                           (default: as the name of FILE ends)\n"
          "  -o, --output FILE        where to write; - (the default) is stdout\n"
          "  -m, --metric M           cpu (default), off-cpu, alloc, count, peak, leaked\n"
          "      --window FROM..TO    only that part: seconds from the start, or names\n"
          "                           of marks; either may be missing (3.5.., load..7)\n"
          "      --thread T           only that thread: a tid or a name\n"
          "      --process P          only that process: a pid or a name\n"
          "      --only-my-code       leave out frames of other people's code\n"
          "      --max-samples N      fold the lightest stacks into [other]\n"
          "  -h, --help\n\n"
          "SESSION may be gzipped; - is stdin.\n",
          stdout);
}

static int parse_metric(struct export_options *o, struct rs_err *err)
{
    for (unsigned i = 0; answer_metric_name(i); i++)
        if (!strcmp(answer_metric_name(i), optarg)) {
            o->question.metric = (enum answer_metric)i;
            return 0;
        }
    return rs_err_set(err, -EINVAL, "--metric takes one of %s, not \"%s\"", list_of(answer_metric_name), optarg);
}

static int parse_max_samples(struct export_options *o, struct rs_err *err)
{
    char *end;

    errno = 0;
    o->max_samples = strtoul(optarg, &end, 10);
    if (*end || errno || !o->max_samples || strchr(optarg, '-'))
        return rs_err_set(err, -EINVAL, "--max-samples takes a number from 1 on, not \"%s\"", optarg);
    return 0;
}

static int parse_option(struct export_options *o, int option, char **argv, struct rs_err *err)
{
    switch (option) {
    case 'f':
        o->format = export_format_named(optarg);
        return o->format
                   ? 0
                   : rs_err_set(err, -EINVAL, "--format takes one of %s, not \"%s\"", list_of(format_name), optarg);
    case 'o':
        o->output = optarg;
        return 0;
    case 'm':
        return parse_metric(o, err);
    case 'w':
        o->window = optarg;
        return 0;
    case 'T':
        o->question.thread = optarg;
        return 0;
    case 'p':
        o->question.process = optarg;
        return 0;
    case 'y':
        o->question.only_my_code = true;
        return 0;
    case OPT_MAX_SAMPLES:
        return parse_max_samples(o, err);
    case 'h':
        o->help = true;
        return 0;
    case ':':
        return rs_err_set(err, -EINVAL, "%s needs a value (rustscope export --help)", argv[optind - 1]);
    default:
        return rs_err_set(err, -EINVAL, "export does not know %s (rustscope export --help)", argv[optind - 1]);
    }
}

static int parse(struct export_options *o, int argc, char **argv, struct rs_err *err)
{
    int option, rc = 0;

    opterr = 0;
    optind = 0;
    while (!rc && (option = getopt_long(argc, argv, ":f:o:m:h", long_options, NULL)) != -1)
        rc = parse_option(o, option, argv, err);
    if (rc || o->help)
        return rc;
    if (argc - optind != 1)
        return rs_err_set(err, -EINVAL,
                          "export takes one session file: rustscope export rustscope-last.json -f folded");
    o->file = argv[optind];
    if (!o->format)
        o->format = export_format_of_path(o->output);
    if (!o->format)
        return rs_err_set(err, -EINVAL,
                          "no format is given, and the name %s does not tell one: give --format, one of %s", o->output,
                          list_of(format_name));
    return 0;
}

int cmd_export(int argc, char **argv)
{
    struct export_options o = {.output = "-", .question.window = {0, UINT64_MAX}};
    struct export export;
    struct session *s;
    struct rs_err err;
    uint64_t bytes;

    if (parse(&o, argc, argv, &err))
        die(2, "%s", err.text);
    if (o.help) {
        help();
        return 0;
    }
    if (session_check_output(o.output, &err))
        die(1, "%s", err.text);
    s = session_read_file(o.file, &err);
    if (!s)
        die(1, "%s", err.text);
    if (o.window && time_window_parse(s, o.window, &o.question.window, &err))
        die(2, "%s", err.text);
    if (export_prepare(s, &o.question, o.max_samples, o.format->by_time, &export, &err))
        die(1, "%s", err.text);
    if (document_write_file(o.output, o.format->gzip, o.format->write, &export, &bytes, &err))
        die(1, "%s", err.text);
    fprintf(stderr, "rustscope: wrote %llu %s of %s in %zu stacks as %s\n", (unsigned long long)export.total,
            export_unit(o.question.metric), answer_metric_name(o.question.metric), export.sample_count, o.format->name);
    if (export.folded)
        fprintf(stderr, "rustscope: the %zu lightest stacks are one, [other]\n", export.folded);
    export_release(&export);
    session_free(s);
    return 0;
}
