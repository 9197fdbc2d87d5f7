/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "analyze/functions.h"
#include "analyze/symbolize.h"
#include "base/err.h"
#include "file/session_file.h"
#include "report/html.h"
#include "report/summary.h"

struct report_options {
    const char *file, *window, *html;
    bool symbolize, debuginfod, help;
};

static const struct option long_options[] = {
    {"window", required_argument, NULL, 'w'}, {"symbolize", no_argument, NULL, 's'},
    {"debuginfod", no_argument, NULL, 'd'},   {"html", required_argument, NULL, 'H'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static void help(void)
{
    fputs("usage: rustscope report [OPTIONS] SESSION.json\n"
          "Print the summary of a session, as it stood at the end of its run.\n\n"
          "      --window FROM..TO  only that part: seconds from the start, or names of\n"
          "                         marks; either may be missing (3.5.., ..load, load..7)\n"
          "      --symbolize        look names up again, where binaries or debug files are\n"
          "                         better here and now than where it was recorded\n"
          "      --debuginfod       with --symbolize: fetch missing symbols (needs\n"
          "                         DEBUGINFOD_URLS)\n"
          "      --html FILE        write the visualizer with the session inside it: one\n"
          "                         page that opens offline; - is stdout\n"
          "  -h, --help\n\n"
          "SESSION.json may be gzipped; - is stdin. 1 MB = 10^6 bytes.\n",
          stdout);
}

static int parse(struct report_options *o, int argc, char **argv, struct rs_err *err)
{
    int option;

    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
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
        case ':':
            return rs_err_set(err, -EINVAL, "%s needs a value (rustscope report --help)", argv[optind - 1]);
        default:
            return rs_err_set(err, -EINVAL, "report does not know %s (rustscope report --help)", argv[optind - 1]);
        }
    if (o->help)
        return 0;
    if (argc - optind != 1)
        return rs_err_set(err, -EINVAL, "report takes one session file: rustscope report rustscope-last.json");
    o->file = argv[optind];
    if (o->debuginfod && !o->symbolize)
        return rs_err_set(err, -EINVAL, "--debuginfod fetches symbols for --symbolize: give both");
    if (o->html && (o->window || o->symbolize))
        return rs_err_set(err, -EINVAL, "--html takes the session whole and as it is: leave out %s",
                          o->window ? "--window" : "--symbolize");
    if (o->html && !strcmp(o->file, "-"))
        return rs_err_set(err, -EINVAL, "--html reads a session from a file, not from stdin");
    return 0;
}

static void apply_window(struct session *s, const char *text, struct summary_options *page)
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

int cmd_report(int argc, char **argv)
{
    struct report_options o = {0};
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
        apply_window(s, o.window, &page);
    if (strcmp(o.file, "-") != 0) {
        page.path = o.file;
        page.path_bytes = stat(o.file, &st) == 0 ? (uint64_t)st.st_size : 0;
    }
    /* A reader that leaves early (| head) is no failure, and nothing to speak of. */
    signal(SIGPIPE, SIG_DFL);
    summary_print(stdout, s, &page);
    session_free(s);
    return ferror(stdout) ? 1 : 0;
}
