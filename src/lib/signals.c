/* SPDX-License-Identifier: MIT */
/*
 * The report of a program that a signal ends: abort() after a failed assertion or a Rust panic under panic=abort, Ctrl-C,
 * `timeout`. Where RUSTSCOPE_OUT asks for a report, and only for signals that the program leaves alone.
 *
 * A handler may write it since the writer takes nothing that the code it cut into may hold: its memory is mapped, its
 * numbers are its own, and our locks are told by the thread's state. After that the signal takes its course, with its
 * core and its status.
 */
#include "lib/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "lib/lock.h"
#include "lib/os.h"
#include "lib/report.h"

static const int ENDING[] = {SIGABRT, SIGHUP, SIGINT, SIGTERM};

/*
 * On a signal stack, of 8 KiB in Rust programs whose stack overflowed, there is no room for it. The disposition is the
 * default again already; raised here, the signal comes when we return.
 */
static void handle(int number)
{
    int saved_errno = errno;

    if (RS_THREAD_.state != RS_STATE_BUSY && !rs_os_on_signal_stack())
        rs_report_at_exit();
    raise(number);
    errno = saved_errno;
}

void rs_signals_expect(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = (int)SA_RESETHAND}, present;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(ENDING) / sizeof(*ENDING); i++)
        if (!sigaction(ENDING[i], NULL, &present) && !(present.sa_flags & SA_SIGINFO) && present.sa_handler == SIG_DFL)
            sigaction(ENDING[i], &action, NULL);
}
