/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <stdio.h>

#include "base/err.h"
#include "base/version.h"
#include "collect/stacks/stacks.h"
#include "command/conclude.h"
#include "run/record_options.h"
#include "run/recording.h"
#include "system/launch.h"
#include "tui/plain.h"

static void on_event(void *ctx, const struct session *s, uint32_t event)
{
    plain_event(ctx, s, event);
}

static void on_notice(void *ctx, const char *sentence)
{
    (void)ctx;
    warn("%s", sentence);
}

/* The program's own status; a report that could not be written turns success into 1. */
static int report(struct recording *r, const struct record_options *options)
{
    unsigned flags = (options->quiet ? CONCLUDE_QUIET : 0) | (options->debuginfod ? CONCLUDE_DEBUGINFOD : 0);
    struct rs_err err;
    int rc, status;

    recording_finish(r);
    status = recording_exit_status(r);
    rc = conclude(recording_session(r), options->output, flags, &err);
    if (rc)
        warn("%s", err.text);
    recording_free(r, !rc);
    return status ? status : rc ? 1 : 0;
}

static int record(const struct record_options *options)
{
    struct launch_state launch;
    struct plain plain = {0};
    struct recording_options recording = {.record = options,
                                          .launch = &launch,
                                          .on_event = options->quiet ? NULL : on_event,
                                          .on_notice = options->quiet ? NULL : on_notice,
                                          .ctx = &plain};
    struct recording *r;
    struct rs_err err;
    int status;

    launch_prepare(&launch);
    if (recording_new(&r, &recording, &err))
        die(125, "%s", err.text);
    if (recording_start(r, &err)) {
        warn("%s", err.text);
        status = recording_exit_status(r);
        recording_free(r, false);
        return status;
    }
    if (recording_run(r, &err))
        die(125, "%s", err.text);
    return report(r, options);
}

int cmd_record(int argc, char **argv)
{
    struct record_options options;
    struct rs_err err;
    int status;

    if (record_options_parse(&options, RECORD_OPTIONS, argc, argv, &err))
        die(2, "%s", err.text);
    if (options.help) {
        record_options_help();
        return 0;
    }
    if (options.version) {
        printf("rustscope %s\n", version_text());
        return 0;
    }
    if (!options.no_stacks && stacks_check_rate(options.stack_rate_hz, &err))
        die(2, "%s", err.text);
    status = record(&options);
    record_options_release(&options);
    return status;
}
