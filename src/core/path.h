/* SPDX-License-Identifier: MIT */
#pragma once

#include <string.h>

/*
 * The last name of PATH, a part of PATH itself: "app" of "/usr/bin/app" and of "app". A PATH that ends in a slash is
 * its own last name, so that "/" does not become "". Calls nothing but string functions: any thread, any signal
 * handler.
 */
static inline const char *rs_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}
