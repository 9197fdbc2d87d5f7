/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyze/answers.h"
#include "analyze/functions.h"
#include "analyze/symbolize.h"
#include "base/err.h"
#include "file/session_file.h"
#include "report/answers.h"
#include "report/html.h"
#include "report/summary.h"

struct report_options {
    const char *file, *window, *html;
    bool symbolize, debuginfod, help;
    bool asks, json; /* a question instead of the summary */
    struct question question;
};

enum { DEFAULT_TOP = 20 };

static const char LAST_SESSION[] = "rustscope-last.json"; /* what record writes without -o */

static const struct option long_options[] = {
    {"window", required_argument, NULL, 'w'},
    {"symbolize", no_argument, NULL, 's'},
    {"debuginfod", no_argument, NULL, 'd'},
    {"html", required_argument, NULL, 'H'},
    {"top", required_argument, NULL, 't'},
    {"sort", required_argument, NULL, 'o'},
    {"metric", required_argument, NULL, 'm'},
    {"only-my-code", no_argument, NULL, 'y'},
    {"process", required_argument, NULL, 'p'},
    {"thread", required_argument, NULL, 'T'},
    {"callers", required_argument, NULL, 'c'},
    {"callees", required_argument, NULL, 'C'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void help(void)
{
    fputs("usage: rustscope report [OPTIONS] [SESSION.json]\n"
          "Print the summary of a session, or answer a question about it.\n\n"
          "      --window FROM..TO    only that part: seconds from the start, or names\n"
          "                           of marks; either may be missing (3.5.., load..7)\n"
          "      --symbolize          look names up again, where binaries or debug files\n"
          "                           are better here than where it was recorded\n"
          "      --debuginfod         with --symbolize: fetch symbols (DEBUGINFOD_URLS)\n"
          "      --html FILE          write the visualizer with the session inside\n"
          "Questions, each instead of the summary:\n"
          "      --top N              the N functions that cost the most (20)\n"
          "      --sort KEY           self (the default), total or name\n"
          "      --metric M           cpu (default), off-cpu, alloc, count, peak, leaked\n"
          "      --only-my-code       only functions of your own\n"
          "      --process P          only that process: a pid or a name\n"
          "      --thread T           only that thread: a tid or a name\n"
          "      --callers FUNCTION   who calls it, and how much of it each causes\n"
          "      --callees FUNCTION   what it calls, and how much of it each takes\n"
          "      --json               the answer as data\n"
          "  -h, --help\n\n"
          "The default file is rustscope-last.json; it may be gzipped; - is stdin.\n"
          "1 MB = 10^6 bytes.\n",
          stdout);
}

/* The index of WORD among what NAME gives; a sentence that lists them when it is not among them. */
static int one_of(const char *option, const char *word, const char *(*name)(unsigned), unsigned *value,
                  struct rs_err *err)
{
    char list[128] = "";

    for (unsigned i = 0; name(i); i++) {
        size_t len = strlen(list);

        if (!strcmp(name(i), word)) {
            *value = i;
            return 0;
        }
        snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", name(i));
    }
    return rs_err_set(err, -EINVAL, "%s takes one of %s, not \"%s\"", option, list, word);
}

/* One of the options that ask a question. */
static int parse_question(struct report_options *o, int option, struct rs_err *err)
{
    struct question *q = &o->question;
    unsigned value = 0;
    char *end;
    int rc = 0;

    o->asks = true;
    switch (option) {
    case 't':
        errno = 0;
        q->top = strtoul(optarg, &end, 10);
        if (*end || errno || !q->top || strchr(optarg, '-') || q->top > MAX_FUNCTIONS)
            return rs_err_set(err, -EINVAL, "--top takes a number of functions from 1 to %d, not \"%s\"", MAX_FUNCTIONS,
                              optarg);
        return 0;
    case 'o':
        rc = one_of("--sort", optarg, answer_sort_name, &value, err);
        q->sort = (enum answer_sort)value;
        return rc;
    case 'm':
        rc = one_of("--metric", optarg, answer_metric_name, &value, err);
        q->metric = (enum answer_metric)value;
        return rc;
    case 'y':
        q->only_my_code = true;
        return 0;
    case 'p':
        q->process = optarg;
        return 0;
    case 'T':
        q->thread = optarg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    default:
        if (q->function)
            return rs_err_set(err, -EINVAL, "--callers and --callees ask about one function: give one of them, once");
        if (!*optarg)
            return rs_err_set(err, -EINVAL, "--%s takes a function's name", option == 'c' ? "callers" : "callees");
        q->function = optarg;
        q->callees = option == 'C';
        return 0;
    }
}

static int parse(struct report_options *o, int argc, char **argv, struct rs_err *err)
{
    int option, rc = 0;

    o->question.top = DEFAULT_TOP;
    opterr = 0;
    optind = 0;
    while (!rc && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
        switch (option) {
        case 'w':
            o->window = optarg;
            break;
        case 's':
            o->symbolize = true;
            break;
        case 'd':
            o->debuginfod = true;
            break;
        case 'H':
            o->html = optarg;
            break;
        case 'h':
            o->help = true;
            break;
        case 't':
        case 'o':
        case 'm':
        case 'y':
        case 'p':
        case 'T':
        case 'c':
        case 'C':
        case 'j':
            rc = parse_question(o, option, err);
            break;
        case ':':
            return rs_err_set(err, -EINVAL, "%s needs a value (rustscope report --help)", argv[optind - 1]);
        default:
            return rs_err_set(err, -EINVAL, "report does not know %s (rustscope report --help)", argv[optind - 1]);
        }
    if (rc || o->help)
        return rc;
    if (argc - optind > 1)
        return rs_err_set(err, -EINVAL, "report takes one session file: rustscope report rustscope-last.json");
    o->file = optind < argc ? argv[optind] : LAST_SESSION;
    if (o->debuginfod && !o->symbolize)
        return rs_err_set(err, -EINVAL, "--debuginfod fetches symbols for --symbolize: give both");
    if (o->html && (o->window || o->symbolize))
        return rs_err_set(err, -EINVAL, "--html takes the session whole and as it is: leave out %s",
                          o->window ? "--window" : "--symbolize");
    if (o->html && o->asks)
        return rs_err_set(err, -EINVAL,
                          "--html writes a page, and --top, --callers and the like print an answer: give one");
    if (o->html && !strcmp(o->file, "-"))
        return rs_err_set(err, -EINVAL, "--html reads a session from a file, not from stdin");
    return 0;
}

static void apply_window(struct session *s, const char *text, struct summary_options *page, struct time_window *used)
{
    struct time_window window;
    struct rs_err err;

    if (time_window_parse(s, text, &window, &err))
        die(2, "%s", err.text);
    if (window.to_ns > s->duration_ns)
        window.to_ns = s->duration_ns;
    if (window.from_ns >= window.to_ns)
        die(2, "--window %s lies outside the session, which is %s long", text,
            fmt_span((double)s->duration_ns / 1e9).s);
    functions_compute(s, &window);
    *used = window;
    page->window = true;
    page->from_ns = window.from_ns;
    page->to_ns = window.to_ns;
}

static int write_html(const struct report_options *o)
{
    uint64_t bytes;
    struct rs_err err;

    if (html_write(o->file, o->html, &bytes, &err))
        die(1, "%s", err.text);
    if (strcmp(o->html, "-") != 0)
        fprintf(stderr, "rustscope: wrote %s (%llu bytes)\n", o->html, (unsigned long long)bytes);
    return 0;
}

static void print_answer(const struct session *s, const struct report_options *o, const struct summary_options *page)
{
    struct answer found;
    struct rs_err err;

    if (answer(s, &o->question, &found, &err))
        die(1, "%s", err.text);
    if (o->json)
        answers_print_json(stdout, s, &o->question, &found);
    else
        answers_print(stdout, s, &o->question, &found, page);
    answer_release(&found);
}

int cmd_report(int argc, char **argv)
{
    struct report_options o = {.question.window = {0, UINT64_MAX}};
    struct summary_options page = {0};
    struct session *s;
    struct stat st;
    struct rs_err err;

    if (parse(&o, argc, argv, &err))
        die(2, "%s", err.text);
    if (o.help) {
        help();
        return 0;
    }
    if (o.file == LAST_SESSION && access(o.file, F_OK))
        die(1, "there is no rustscope-last.json here: record one with `rustscope -- PROGRAM`, or name a session");
    s = session_read_file(o.file, &err);
    if (!s)
        die(1, "%s", err.text);
    if (o.html) { /* it was read to know that it is a whole session */
        session_free(s);
        return write_html(&o);
    }
    if (o.symbolize) {
        symbolize(s, &(struct symbolize_options){.live = false, .debuginfod = o.debuginfod});
        functions_compute(s, &(struct time_window){0, UINT64_MAX});
    }
    summary_options_for(stdout, &page);
    if (o.window)
        apply_window(s, o.window, &page, &o.question.window);
    if (strcmp(o.file, "-") != 0) {
        page.path = o.file;
        page.path_bytes = stat(o.file, &st) == 0 ? (uint64_t)st.st_size : 0;
    }
    /* A reader that leaves early (| head) is not a failure and needs no message. */
    signal(SIGPIPE, SIG_DFL);
    if (o.asks)
        print_answer(s, &o, &page);
    else
        summary_print(stdout, s, &page);
    session_free(s);
    return ferror(stdout) ? 1 : 0;
}
