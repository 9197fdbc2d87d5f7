/* SPDX-License-Identifier: MIT */

/*
 * Libraries that come and go, by the first argument.
 *   storm:    200 rounds: one plugin allocates 5 blocks, is unloaded, the other takes its address and allocates 7; all are
 *             freed. Truth: 1,000 in allocate_in_one(), 1,400 in allocate_in_two(). Exits 3 if an address was never taken over.
 *   deepbind: a plugin with its own scope allocates 10 blocks that we free, and frees 10 of ours.
 *   dlmopen:  a plugin in a namespace of its own, with a libc of its own, allocates and frees 10 blocks.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plugin {
    void *handle;
    void *(*allocate)(size_t size);
    void (*release)(void *block);
};

static char folder[4096];

static struct plugin load(const char *name, int flags, int own_namespace)
{
    struct plugin plugin;
    char path[8192];

    snprintf(path, sizeof(path), "%s/liballoc_plugin_%s.so", folder, name);
    plugin.handle = own_namespace ? dlmopen(LM_ID_NEWLM, path, flags) : dlopen(path, flags);
    if (!plugin.handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    plugin.allocate = (void *(*)(size_t))dlsym(plugin.handle, "plugin_allocate");
    plugin.release = (void (*)(void *))dlsym(plugin.handle, "plugin_release");
    return plugin;
}

/* Returns where the plugin's code was. */
static void *use(const char *name, int count)
{
    struct plugin plugin = load(name, RTLD_NOW, 0);
    void *blocks[8], *at = (void *)plugin.allocate;

    for (int i = 0; i < count; i++)
        blocks[i] = plugin.allocate(100);
    dlclose(plugin.handle);
    for (int i = 0; i < count; i++)
        free(blocks[i]);
    return at;
}

static int storm(void)
{
    int taken_over = 0;

    for (int i = 0; i < 200; i++)
        taken_over += use("one", 5) == use("two", 7);
    return taken_over ? 0 : 3;
}

static __attribute__((noinline)) void *allocate_here(void)
{
    void *volatile block = malloc(100);

    return block;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "storm";
    struct plugin plugin;
    char *slash;

    snprintf(folder, sizeof(folder), "%s", argv[0]);
    slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    if (!strcmp(how, "storm"))
        return storm();
    plugin = load("one", !strcmp(how, "deepbind") ? RTLD_NOW | RTLD_DEEPBIND : RTLD_NOW, !strcmp(how, "dlmopen"));
    for (int i = 0; i < 10; i++) {
        void *theirs = plugin.allocate(100);

        if (!strcmp(how, "dlmopen")) {
            plugin.release(theirs);
            free(allocate_here());
        } else {
            free(theirs);
            plugin.release(allocate_here());
        }
    }
    dlclose(plugin.handle);
    return 0;
}
