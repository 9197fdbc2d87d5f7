/* SPDX-License-Identifier: MIT */
#include "command/conclude.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "analyze/allocs.h"
#include "analyze/functions.h"
#include "analyze/symbolize.h"
#include "file/session_file.h"
#include "report/summary.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    interrupted = signal;
}

/* Recording takes SIGINT from a descriptor that nobody reads any more; here a handler does. */
void conclude_analyse(struct session *session, bool debuginfod)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART}, old_action;
    sigset_t interrupt, old_mask;

    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigaction(SIGINT, &action, &old_action);
    pthread_sigmask(SIG_UNBLOCK, &interrupt, &old_mask);
    symbolize(session, &(struct symbolize_options){.live = true, .debuginfod = debuginfod, .stop = &interrupted});
    pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
    sigaction(SIGINT, &old_action, NULL);
    if (interrupted)
        session_warn(session,
                     "Ctrl-C stopped the reading of debug information: inlined functions and lines are missing; "
                     "rustscope report --symbolize adds them");
    functions_compute(session, &(struct time_window){0, UINT64_MAX});
    hotspots_compute(session);
    allocs_analyze(session);
}

int conclude(struct session *session, const char *output, unsigned flags, struct rs_err *err)
{
    uint64_t bytes = 0;
    int rc;

    conclude_analyse(session, flags & CONCLUDE_DEBUGINFOD);
    rc = session_write_file(session, output, &bytes, err);
    if (!(flags & CONCLUDE_QUIET)) {
        struct summary_options page = {0};

        summary_options_for(stderr, &page);
        fputc('\n', stderr);
        page.path = rc ? NULL : output;
        page.path_bytes = bytes;
        summary_print(stderr, session, &page);
    }
    return rc;
}
