/* SPDX-License-Identifier: MIT */
#include "run/host.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/proc_view.h"

/* 50 ticks of each of two processors; over less a single tick is more than one per cent. */
enum { LEAST_TICKS = 100 };

/* The first CAP - 1 bytes of /proc/NAME, NUL-terminated; their number, 0 for none. */
static size_t read_head(const char *name, char *text, size_t cap)
{
    char path[32];
    FILE *file = fopen(proc_path(path, sizeof(path), "%s", name), "re");
    size_t len;

    if (!file)
        return 0;
    len = fread(text, 1, cap - 1, file);
    text[len] = '\0';
    fclose(file);
    return len;
}

static string_id cpu_model(struct strings *strings)
{
    char text[4096];
    const char *name;
    size_t len = read_head("cpuinfo", text, sizeof(text));

    if (!len)
        return 0;
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

static uint64_t own_cpu_ns(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage))
        return 0;
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

struct host_load host_load_now(void)
{
    struct host_load load = {.own_cpu_ns = own_cpu_ns()};
    char text[256];
    size_t len = read_head("stat", text, sizeof(text));

    if (!len || proc_machine_parse(text, len, &load.machine))
        load.machine = (struct proc_machine){0};
    return load;
}

void host_describe_load(struct session *session, const struct host_load *before)
{
    struct host_load now = host_load_now();
    double tick_ns = 1e9 / (double)sysconf(_SC_CLK_TCK);
    double all_ns = (double)(now.machine.all_ticks - before->machine.all_ticks) * tick_ns;
    double others_ns = (double)(now.machine.busy_ticks - before->machine.busy_ticks) * tick_ns;

    if (!before->machine.all_ticks || now.machine.all_ticks < before->machine.all_ticks + LEAST_TICKS)
        return;
    others_ns -= (double)(now.own_cpu_ns - before->own_cpu_ns);
    for (size_t i = 0; i < session->process_count; i++)
        others_ns -= (double)session->processes[i].cpu_ns;
    session->meta.others_cpu_pct = others_ns > 0 ? 100 * others_ns / all_ns : 0;
    session->meta.steal_pct = 100 * (double)(now.machine.steal_ticks - before->machine.steal_ticks) * tick_ns / all_ns;
}
