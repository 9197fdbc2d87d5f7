/* SPDX-License-Identifier: MIT */
/* Results that later runs are compared with, one file a name. */
#include "lib/bench/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void rs_bench_baseline_path(const struct rs_bench_options *o, const char *name, char *path, size_t size)
{
    const char *dir = getenv("RUSTSCOPE_BENCH_DIR");

    snprintf(path, size, "%s/%s/%s.bench", dir && *dir ? dir : ".rustscope/bench", o->program, name);
}

static void make_folders(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777); /* what is not there shows when the file is opened */
        *slash = '/';
    }
}

int rs_bench_baseline_load(const struct rs_bench_options *o, const char *name, struct rs_bench_list *list)
{
    char path[4096];
    FILE *from;
    int rc;

    rs_bench_baseline_path(o, name, path, sizeof(path));
    from = fopen(path, "re");
    if (!from)
        return -errno;
    rc = rs_bench_text_read(from, list);
    fclose(from);
    return rc;
}

int rs_bench_baseline_save(const struct rs_bench_options *o, const struct rs_bench_list *measured)
{
    char path[4096], beside[4200];
    struct rs_bench_list old = {0};
    FILE *to;
    int rc = 0;

    rs_bench_baseline_path(o, o->save, path, sizeof(path));
    make_folders(path);
    if (rs_bench_baseline_load(o, o->save, &old))
        rs_bench_list_release(&old);
    snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
    to = fopen(beside, "we");
    if (!to) {
        rc = -errno;
    } else {
        for (size_t i = 0; i < old.count; i++)
            if (!rs_bench_list_find(measured, old.results[i].name))
                rs_bench_text_write(to, &old.results[i]);
        for (size_t i = 0; i < measured->count; i++)
            if (!measured->results[i].refusal)
                rs_bench_text_write(to, &measured->results[i]);
        if (fflush(to) || ferror(to))
            rc = -EIO;
        if (fclose(to))
            rc = -errno;
        if (!rc && rename(beside, path))
            rc = -errno;
        if (rc)
            unlink(beside);
    }
    rs_bench_list_release(&old);
    if (rc)
        fprintf(stderr, "%s: cannot write %s: %s\n", o->program, path, strerror(-rc));
    return rc;
}
