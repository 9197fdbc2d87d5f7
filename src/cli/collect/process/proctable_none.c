/* SPDX-License-Identifier: MIT */
#include "collect/process/proctable.h"

#include <stddef.h>

/* Without a table of all processes, children are found through their parents alone. */

struct proctable *proctable_new(void)
{
    return NULL;
}

void proctable_free(struct proctable *table)
{
    (void)table;
}

size_t proctable_take(struct proctable *table, struct proctable_entry **entries)
{
    (void)table;
    *entries = NULL;
    return 0;
}
