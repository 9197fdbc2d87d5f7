/* SPDX-License-Identifier: MIT */
#include "collect/modules/maps.h"

#include <errno.h>
#include <stdlib.h>

/* A system whose mappings are not read: no address belongs to a file. */

void maps_init(struct maps *maps, struct session *session)
{
    *maps = (struct maps){.session = session};
}

void maps_release(struct maps *maps)
{
    *maps = (struct maps){0};
}

void maps_space_release(struct address_space *space)
{
    *space = (struct address_space){0};
}

void maps_exec(struct maps *maps, struct address_space *space)
{
    (void)maps, (void)space;
}

void maps_fork(struct maps *maps, struct address_space *child, const struct address_space *parent)
{
    (void)maps, (void)child, (void)parent;
}

void maps_add(struct maps *maps, struct address_space *space, const struct maps_range *range)
{
    (void)maps, (void)space, (void)range;
}

int maps_read_proc(struct maps *maps, struct address_space *space)
{
    (void)maps, (void)space;
    return -ENOSYS;
}

int maps_parse_line(const char *text, size_t len, struct maps_range *range, char *path, size_t path_size)
{
    (void)text, (void)len, (void)range, (void)path, (void)path_size;
    return -EINVAL;
}

struct mapping *maps_find(const struct address_space *space, uint64_t address)
{
    (void)space, (void)address;
    return NULL;
}

const struct rs_unwind_module *maps_unwind_module(struct mapping *mapping, struct rs_unwind_module *scratch)
{
    (void)mapping;
    *scratch = (struct rs_unwind_module){0};
    return scratch;
}

bool maps_read_code(const struct address_space *space, uint64_t address, uint64_t *word)
{
    (void)space, (void)address, (void)word;
    return false;
}

uint32_t maps_frame(struct maps *maps, const struct address_space *space, uint64_t address)
{
    (void)space, (void)address;
    return calltree_named_frame(&maps->session->tree, strings_add_str(&maps->session->strings, "[unknown]"),
                                LAYER_UNKNOWN);
}

void maps_publish_open_paths(struct maps *maps)
{
    (void)maps;
}
