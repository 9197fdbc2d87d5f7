/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "command/doctor_checks.h"
#include "report/summary.h"

static void help(void)
{
    fputs("usage: rustscope doctor\n"
          "Try out what works on this machine, and name the command that fixes the rest.\n\n"
          "  ok        works\n"
          "  degraded  works with less: the line says what is lost\n"
          "  missing   does not work\n\n"
          "Exit status: 0 unless something is missing, then 1.\n",
          stdout);
}

enum { PROSE_COLS = 100 }; /* sentences of more are hard to read */

int cmd_doctor(int argc, char **argv)
{
    struct summary_options page = {0};
    struct canvas canvas = {0};
    struct doctor doctor = {0};

    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        help();
        return 0;
    }
    if (argc > 1)
        die(2, "doctor takes no arguments, not '%s'", argv[1]);
    summary_options_for(stdout, &page);
    if (page.cols > PROSE_COLS)
        page.cols = PROSE_COLS;
    doctor_examine(&doctor);
    doctor_draw(&canvas, &doctor, &page);
    canvas_print(stdout, &canvas, page.colour);
    canvas_release(&canvas);
    return doctor_worst(&doctor) == DOCTOR_MISSING ? 1 : 0;
}
