/* SPDX-License-Identifier: MIT */
#include "run/host.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* "model name : …" of the first CPU; absent on some architectures. */
static string_id cpu_model(struct strings *strings)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    string_id id = 0;
    char line[512];

    while (file && !id && fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');

        if (!colon || strncmp(line, "model name", 10))
            continue;
        colon += strspn(colon, ": \t");
        colon[strcspn(colon, "\n")] = '\0';
        id = strings_add_str(strings, colon);
    }
    if (file)
        fclose(file);
    return id;
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
