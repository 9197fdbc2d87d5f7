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

static const char *one_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (!strcmp(names[i], name))
            return names[i];
    return names[0];
}

const char *scope_clock_name(const char *name)
{
    static const char *const names[] = {"tsc", "cntvct", "clock_gettime"};

    return one_of(names, sizeof(names) / sizeof(*names), name);
}

const char *scope_mode_name(const char *name)
{
    static const char *const names[] = {"default", "precise", "sampled", "count", "off"};

    return one_of(names, sizeof(names) / sizeof(*names), name);
}
