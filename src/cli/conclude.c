/* SPDX-License-Identifier: MIT */
#include "conclude.h"

#include <stdio.h>

#include "analyze/functions.h"
#include "analyze/symbolize.h"
#include "report/json.h"
#include "report/summary.h"

static void analyse(struct session *session)
{
    symbolize(session, &(struct symbolize_options){.live = true});
    functions_compute(session, &(struct time_window){0, UINT64_MAX});
    hotspots_compute(session);
}

int conclude(struct session *session, const char *output, bool quiet, struct rs_err *err)
{
    uint64_t bytes = 0;
    int rc;

    analyse(session);
    rc = session_write_file(session, output, &bytes, err);
    if (!quiet) {
        struct summary_options page = {0};

        summary_options_for(stderr, &page);
        fputc('\n', stderr);
        page.path = rc ? NULL : output;
        page.path_bytes = bytes;
        summary_print(stderr, session, &page);
    }
    return rc;
}
