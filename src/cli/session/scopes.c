/* SPDX-License-Identifier: MIT */
#include "session/scopes.h"

#include <stdlib.h>
#include <string.h>

void session_scopes_release(struct session_scopes *scopes)
{
    free(scopes->rows);
    free(scopes->outliers);
    free(scopes->violations);
    free(scopes->tasks);
    free(scopes->clocks);
    memset(scopes, 0, sizeof(*scopes));
}
