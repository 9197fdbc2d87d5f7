/* SPDX-License-Identifier: MIT */
#include "base/cache_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

/* Makes every folder that leads to PATH. */
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        int rc;

        *slash = '\0';
        rc = mkdir(path, 0700);
        *slash = '/';
        if (rc != 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

char *cache_dir_path(const char *name)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path;

    if (base && base[0] == '/') /* a relative one is to be ignored, says the XDG specification */
        path = xasprintf("%s/rustscope/%s", base, name);
    else if (home && home[0] == '/')
        path = xasprintf("%s/.cache/rustscope/%s", home, name);
    else
        return NULL;
    if (make_folders(path) == 0)
        return path;
    free(path);
    return NULL;
}
