/* SPDX-License-Identifier: MIT */
#include "run/host.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/proc_parse.h"
#include "base/proc_view.h"

static string_id cpu_model(struct strings *strings)
{
    char path[32], text[4096];
    FILE *file = fopen(proc_path(path, sizeof(path), "cpuinfo"), "re");
    const char *name;
    size_t len;

    if (!file)
        return 0;
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return proc_cpuinfo_model(text, len, &name, &len) ? 0 : strings_add(strings, name, len);
}

void host_describe(struct session *session)
{
    struct session_meta *meta = &session->meta;
    struct utsname host;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (uname(&host) == 0) {
        meta->host_os = strings_add_str(&session->strings, host.sysname);
        meta->host_arch = strings_add_str(&session->strings, host.machine);
        meta->host_kernel = strings_add_str(&session->strings, host.release);
    }
    meta->cpu_model = cpu_model(&session->strings);
    meta->cpu_cores = cores > 0 ? (unsigned)cores : 0;
    meta->version = strings_add_str(&session->strings, RUSTSCOPE_VERSION);
}
