/* SPDX-License-Identifier: MIT */
#include "base/cache_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

/* Makes every folder that leads to PATH, behind its first BASE_LEN bytes. */
static int make_folders(char *path, size_t base_len)
{
    for (char *slash = strchr(path + base_len, '/'); slash; slash = strchr(slash + 1, '/')) {
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
    size_t base_len;

    /* A relative one is to be ignored, says the XDG specification. A home that does not exist is not made. */
    if (base && base[0] == '/') {
        base_len = 1;
        path = xasprintf("%s/rustscope/%s", base, name);
    } else if (home && home[0] == '/') {
        base_len = strlen(home) + 1;
        path = xasprintf("%s/.cache/rustscope/%s", home, name);
    } else {
        return NULL;
    }
    if (make_folders(path, base_len) == 0)
        return path;
    free(path);
    return NULL;
}
