/* SPDX-License-Identifier: MIT */
/* Loads two plugins in turn, so that the second takes the address of the first, and burns 60 ms in each, 4 times. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "cpu_time.h"

static int use(const char *folder, const char *name)
{
    char path[4096];
    void *plugin;
    void (*work)(void);

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    plugin = dlopen(path, RTLD_NOW);
    if (!plugin)
        return fprintf(stderr, "%s\n", dlerror());
    work = (void (*)(void))dlsym(plugin, "plugin_work");
    work();
    return dlclose(plugin);
}

int main(int argc, char **argv)
{
    char folder[4096];
    char *slash;

    (void)argc;
    snprintf(folder, sizeof(folder), "%s", argv[0]);
    slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    for (int i = 0; i < 4; i++)
        if (use(folder, "libplugin_one.so") || use(folder, "libplugin_two.so"))
            return 1;
    return 0;
}
