/* SPDX-License-Identifier: MIT */
/*
 * Counts the signals it gets and says so at its end: tgt_signals MODE, after printing "ready".
 *   count   SIGINT, SIGTERM, SIGHUP are counted; ends by itself 1 s after the first, printing the counts
 *   ignore  ignores SIGINT and SIGTERM and sleeps for 60 s
 *   default sleeps for 60 s, default actions
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t counts[65];

static void count(int signo)
{
    counts[signo]++;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "count";

    if (!strcmp(mode, "count")) {
        signal(SIGINT, count);
        signal(SIGTERM, count);
        signal(SIGHUP, count);
    } else if (!strcmp(mode, "ignore")) {
        signal(SIGINT, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
    }
    puts("ready");
    fflush(stdout);
    for (int i = 0; i < 600; i++) {
        usleep(100000);
        if (counts[SIGINT] + counts[SIGTERM] + counts[SIGHUP] && i < 590)
            i = 590;
    }
    printf("int %d term %d hup %d\n", (int)counts[SIGINT], (int)counts[SIGTERM], (int)counts[SIGHUP]);
    return 7;
}
