/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "command/commands.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"record", cmd_record, "run and profile a program (the default command)"},
    {"bench", cmd_bench, "time commands, with intervals; judge one against another"},
    {"view", cmd_view, "open sessions in the browser, offline, on this machine only"},
    {"report", cmd_report, "print the summary of a session"},
    {"compare", cmd_compare, "what got slower or bigger between two sides of runs; a gate for CI"},
    {"export", cmd_export, "write the call stacks of a session for another tool"},
    {"doctor", cmd_doctor, "what works on this machine, and how to get the rest"},
    {"listen", cmd_listen, "collect from programs that are started elsewhere"},
};

static int help(void)
{
    puts("usage: rustscope [OPTIONS] -- PROGRAM [ARGS...]\n"
         "       rustscope COMMAND [OPTIONS] ...\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    puts("\n`rustscope COMMAND --help` tells more. 1 MB = 10^6 bytes everywhere.");
    return 0;
}

int main(int argc, char **argv)
{
    /* What the terminal can show; numbers stay those of the C locale. */
    setlocale(LC_CTYPE, "");
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")))
        return help();
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        printf("rustscope %s\n", version_text());
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    return cmd_record(argc, argv);
}
