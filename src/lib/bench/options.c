/* SPDX-License-Identifier: MIT */
#include "lib/bench/program.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESSES_TO_COMPARE = 5 };

static void help(const struct rs_bench_options *o)
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

int rs_bench_usage(const struct rs_bench_options *o, const char *format, ...)
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

static int take_number(struct rs_bench_options *o, int option, const char *text)
{
    double value;

    switch (option) {
    case 'n':
        if (!number_of(text, 0, 1000, &value))
            return rs_bench_usage(o, "--noise takes a percentage, not \"%s\"", text);
        o->noise = value / 100;
        return 0;
    case 'p':
        if (!number_of(text, 1, RS_BENCH_PROCESSES_MAX, &value))
            return rs_bench_usage(o, "--processes takes a number from 1 to 64, not \"%s\"", text);
        o->processes = (uint32_t)value;
        return 0;
    case 't':
        if (!number_of(text, 1e-6, 86400, &value))
            return rs_bench_usage(o, "--time takes seconds, not \"%s\"", text);
        o->time_sec = value;
        return 0;
    default:
        if (!number_of(text, 2, RS_BENCH_SAMPLES_MAX, &value))
            return rs_bench_usage(o, "--samples takes a number from 2 to 100000, not \"%s\"", text);
        o->samples = (uint32_t)value;
        return 0;
    }
}

static int take_format(struct rs_bench_options *o, const char *text)
{
    static const char *const names[] = {"table", "json", "google", "bmf"};

    for (int i = 0; i < 4; i++) {
        if (!strcmp(text, names[i])) {
            o->format = (enum format)i;
            return 0;
        }
    }
    return rs_bench_usage(o, "--format is one of table, json, google, bmf, not \"%s\"", text);
}

static int take_filter(struct rs_bench_options *o, const char *text)
{
    if (o->filter_count == RS_BENCH_FILTERS_MAX)
        return rs_bench_usage(o, "more than 32 names: \"%s\"", text);
    o->filters[o->filter_count++] = text;
    return 0;
}

int rs_bench_take_options(struct rs_bench_options *o, int argc, char **argv)
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
                rc = rs_bench_usage(o, "a baseline has a name without slashes, not \"%s\"", optarg);
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
            rc = rs_bench_usage(o, "%s needs a value", argv[optind - 1]);
            break;
        case '?':
            rc = rs_bench_usage(o, "there is no option %s", argv[optind - 1]);
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
