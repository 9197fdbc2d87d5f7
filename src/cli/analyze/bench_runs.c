/* SPDX-License-Identifier: MIT */
#include "analyze/bench_runs.h"

#include <sys/wait.h>

int bench_shell_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
