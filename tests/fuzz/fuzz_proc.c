/* SPDX-License-Identifier: MIT */
/* The first byte picks a parser of /proc texts, the rest is the text. */
#include <stdlib.h>
#include <string.h>

#include "base/proc_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proc_stat stat;
    struct proc_statm statm;
    struct proc_io io;
    struct proc_schedstat sched;
    uint64_t number;
    const char *at;
    char *text;
    bool caught;
    int pid;

    if (!size)
        return 0;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 7) {
    case 0:
        if (!proc_stat_parse(text, size - 1, &stat) &&
            (stat.comm < text || stat.comm + stat.comm_len > text + size - 1))
            abort();
        break;
    case 1:
        proc_statm_parse(text, size - 1, &statm);
        break;
    case 2:
        proc_io_parse(text, size - 1, &io);
        break;
    case 3:
        proc_schedstat_parse(text, size - 1, &sched);
        break;
    case 4:
        proc_smaps_rollup_parse(text, size - 1, &number);
        break;
    case 5:
        proc_status_catches(text, size - 1, 2, &caught);
        break;
    default:
        for (at = text; proc_children_next(&at, &pid);)
            ;
    }
    free(text);
    return 0;
}
