/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "command/conclude.h"
#include "run/record_options.h"
#include "run/recording.h"
#include "system/launch.h"

/*
 * Collects from programs that somebody else starts: in a container, under systemd, on a schedule. They are told by
 * their environment where the FIFO is; nothing but it connects them with us, so there are no process metrics and no
 * sampled stacks here, and no promise for the last 250 ms of a program that is killed.
 */
static void help(void)
{
    puts("usage: rustscope listen [OPTIONS] FIFO\n"
         "\n"
         "Collects allocations and scopes from programs that are started elsewhere, until Ctrl-C, SIGTERM or -d.\n"
         "FIFO is made if it does not exist. Start the programs with\n"
         "\n"
         "    RUSTSCOPE_ALLOC_PIPE=/absolute/path/of/FIFO LD_PRELOAD=/path/of/librustscope_shim.so PROGRAM\n"
         "\n"
         "  -o, --output FILE      default rustscope-last.json; *.json.gz is gzipped\n"
         "  -d, --duration SEC     end after SEC (default: when it is asked to)\n"
         "      --suppress FILE    leaks not to report, LeakSanitizer's format\n"
         "      --name NAME, --tag TAG, --label KEY=VALUE   kept in the session\n"
         "      --redact           leave out arguments and home paths\n"
         "      --debuginfod       fetch missing symbols (needs DEBUGINFOD_URLS)\n"
         "  -q, --quiet            no report\n"
         "\n"
         "In a container: mount the FIFO's directory and the shim into it. Under systemd: two Environment= lines.\n"
         "A program that is killed may lose its last 250 ms.");
}

/* Programs find the FIFO by its absolute path; that is what we tell them. */
static char *absolute(const char *path)
{
    char cwd[PATH_MAX];

    if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
        return xstrdup(path);
    return xasprintf("%s/%s", cwd, path);
}

static int listen_on(const struct record_options *options, const char *fifo)
{
    unsigned flags = (options->quiet ? CONCLUDE_QUIET : 0) | (options->debuginfod ? CONCLUDE_DEBUGINFOD : 0);
    struct launch_state launch;
    const struct recording_options recording = {.record = options, .launch = &launch, .fifo = fifo};
    struct recording *r;
    struct rs_err err;
    int rc;

    launch_prepare(&launch);
    if (recording_new(&r, &recording, &err) || recording_start(r, &err))
        die(1, "%s", err.text);
    if (!options->quiet)
        fprintf(stderr, "rustscope: listening on %s (Ctrl-C ends and reports)\n", fifo);
    if (recording_run(r, &err))
        die(1, "%s", err.text);
    recording_finish(r);
    rc = conclude(recording_session(r), options->output, flags, &err);
    if (rc)
        warn("%s", err.text);
    recording_free(r, !rc);
    return rc ? 1 : 0;
}

int cmd_listen(int argc, char **argv)
{
    struct record_options options;
    struct rs_err err;
    char *fifo;
    int status;

    if (record_options_parse(&options, LISTEN_OPTIONS, argc, argv, &err))
        die(2, "%s", err.text);
    if (options.help) {
        help();
        return 0;
    }
    fifo = absolute(options.argv[0]);
    status = listen_on(&options, fifo);
    record_options_release(&options);
    free(fifo);
    return status;
}
