/* SPDX-License-Identifier: MIT */
#include "conclude.h"

#include <stdio.h>

#include "report/json.h"

int conclude(struct session *session, const char *output, bool quiet, struct rs_err *err)
{
    uint64_t bytes = 0;
    int rc = session_write_file(session, output, &bytes, err);

    if (!quiet && !rc)
        fprintf(stderr, "rustscope: wrote %s (%llu bytes)\n", output, (unsigned long long)bytes);
    return rc;
}
