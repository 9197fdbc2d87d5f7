/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include "base/err.h"

int cmd_record(int argc, char **argv)
{
    (void)argc, (void)argv;
    die(2, "nothing to run: rustscope [OPTIONS] -- PROGRAM [ARGS...]");
}
