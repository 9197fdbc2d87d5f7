/* SPDX-License-Identifier: MIT */
#include "command/doctor_checks.h"

#include <cjson/cJSON.h>
#include <elfutils/version.h>
#include <fcntl.h>
#include <langinfo.h>
#include <microhttpd.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "base/proc_view.h"
#include "collect/channel/shim_check.h"
#include "collect/stacks/perf.h"
#include "tui/tui.h"

/* Below these, slabs and spill of an ordinary session do not fit (DESIGN: 64 MiB of slabs). */
static const double SLAB_BYTES = 64e6;

/* A sysctl's number, or FALLBACK where there is none. */
static long sysctl_number(const char *path, long fallback)
{
    FILE *f = fopen(path, "re");
    long value = fallback;

    if (!f)
        return fallback;
    if (fscanf(f, "%ld", &value) != 1)
        value = fallback;
    fclose(f);
    return value;
}

static void examine_kernel(struct doctor *d)
{
    struct utsname host;
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    uname(&host);
    if (pidfd >= 0) {
        doctor_add(d, DOCTOR_OK, "kernel", "%s %.60s (%s)", host.sysname, host.release, host.machine);
        close(pidfd);
        return;
    }
    snprintf(doctor_add(d, DOCTOR_MISSING, "kernel", "%s %.60s has no pidfd_open", host.sysname, host.release)->remedy,
             320, "RustScope needs Linux 5.3 or newer, and a sandbox that permits pidfd_open");
}

static void examine_proc(struct doctor *d)
{
    struct doctor_line *line;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)getppid());
    if (proc_view() != PROC_VIEW_OWN) {
        line = doctor_add(d, DOCTOR_MISSING, "process metrics",
                          proc_view() == PROC_VIEW_NONE ? "/proc is not mounted"
                                                        : "/proc shows another pid namespace than ours");
        snprintf(line->remedy, sizeof(line->remedy), "mount -t proc proc /proc");
    } else if (access(path, R_OK) != 0) {
        line = doctor_add(d, DOCTOR_DEGRADED, "process metrics", "/proc hides processes of others (hidepid)");
        snprintf(line->remedy, sizeof(line->remedy),
                 "programs of other users cannot be watched: sudo mount -o remount,hidepid=0 /proc");
    } else {
        doctor_add(d, DOCTOR_OK, "process metrics", "/proc is readable");
    }
}

static void examine_stacks(struct doctor *d)
{
    long paranoid = sysctl_number("/proc/sys/kernel/perf_event_paranoid", -2);
    struct doctor_line *line;
    struct rs_err err;

    if (perf_probe(&err)) {
        line = doctor_add(d, DOCTOR_DEGRADED, "call stacks",
                          "by a timer inside the program: no kernel frames, none of attached or static programs");
        snprintf(line->remedy, sizeof(line->remedy), "%.300s", err.text);
        return;
    }
    doctor_add(d, DOCTOR_OK, "call stacks", "perf_event samples up to %u Hz (perf_event_paranoid %ld)", perf_max_rate(),
               paranoid);
    if (paranoid > 1 && geteuid() != 0) {
        line = doctor_add(d, DOCTOR_DEGRADED, "kernel frames", "not permitted: time in the kernel is one node");
        snprintf(line->remedy, sizeof(line->remedy), "sudo sysctl kernel.perf_event_paranoid=1");
    } else if (sysctl_number("/proc/sys/kernel/kptr_restrict", 0) > (geteuid() == 0 ? 1 : 0)) {
        line = doctor_add(d, DOCTOR_DEGRADED, "kernel frames", "without names (kptr_restrict)");
        snprintf(line->remedy, sizeof(line->remedy), "sudo sysctl kernel.kptr_restrict=0");
    } else {
        doctor_add(d, DOCTOR_OK, "kernel frames", "permitted");
    }
}

static void examine_attaching(struct doctor *d)
{
    long scope = sysctl_number("/proc/sys/kernel/yama/ptrace_scope", 0);

    if (geteuid() == 0 || scope == 0)
        doctor_add(d, DOCTOR_OK, "--pid", "%s", geteuid() == 0 ? "any process (root)" : "your own processes");
    else
        snprintf(doctor_add(d, DOCTOR_DEGRADED, "--pid",
                            "ptrace_scope %ld: processes that rustscope did not start have some numbers missing", scope)
                     ->remedy,
                 320, "sudo sysctl kernel.yama.ptrace_scope=0");
}

static void examine_allocations(struct doctor *d)
{
    const char *const bases[] = {"/dev/shm", getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    struct doctor_line *line;
    struct statvfs space;
    char path[4096];

    if (shim_find(path, sizeof(path))) {
        doctor_add(d, DOCTOR_OK, "allocations", "%.150s", path);
    } else {
        line = doctor_add(d, DOCTOR_MISSING, "allocations", "librustscope_shim.so was not found");
        snprintf(line->remedy, sizeof(line->remedy),
                 "install it beside rustscope (../lib/rustscope), or say where it is: RUSTSCOPE_SHIM=FILE");
    }
    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        if (!bases[i] || access(bases[i], W_OK) || statvfs(bases[i], &space))
            continue;
        double room = (double)space.f_bavail * (double)space.f_frsize;

        if (room >= SLAB_BYTES && i == 0) {
            doctor_add(d, DOCTOR_OK, "shared memory", "%s free in %s", fmt_bytes(room).s, bases[i]);
        } else {
            line = doctor_add(d, DOCTOR_DEGRADED, "shared memory", "%s free in %.80s", fmt_bytes(room).s, bases[i]);
            snprintf(line->remedy, sizeof(line->remedy),
                     "bursts of allocations may be dropped (and counted): mount -o remount,size=256M /dev/shm");
        }
        return;
    }
    line = doctor_add(d, DOCTOR_MISSING, "shared memory", "neither /dev/shm nor a temporary folder is writable");
    snprintf(line->remedy, sizeof(line->remedy), "set TMPDIR to a folder you may write to");
}

static void examine_libraries(struct doctor *d)
{
    char curses[64];

    fmt_fit(curses, sizeof(curses), curses_version(), 40, CHARSET_UTF8);
    doctor_add(d, DOCTOR_OK, "libraries", "elfutils %d.%d, %s, zlib %s, cJSON %s, libmicrohttpd %s",
               _ELFUTILS_VERSION / 1000 ? _ELFUTILS_VERSION / 1000 : 0, _ELFUTILS_VERSION % 1000, curses, zlibVersion(),
               cJSON_Version(), MHD_get_version());
}

static void examine_terminal(struct doctor *d)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    struct doctor_line *line;

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        doctor_add(d, DOCTOR_OK, "live screen", "stdin or stderr is not a terminal: plain lines instead");
    } else if (!tui_possible()) {
        line = doctor_add(d, DOCTOR_DEGRADED, "live screen", "TERM=%.40s has no full screen: plain lines instead",
                          term ? term : "");
        snprintf(line->remedy, sizeof(line->remedy), "set TERM to what your terminal is, e.g. TERM=xterm-256color");
    } else {
        doctor_add(d, DOCTOR_OK, "live screen", "TERM=%.40s%s", term, no_colour && *no_colour ? ", NO_COLOR" : "");
    }
    if (fmt_locale_charset() == CHARSET_UTF8) {
        doctor_add(d, DOCTOR_OK, "characters", "UTF-8");
    } else {
        line = doctor_add(d, DOCTOR_DEGRADED, "characters", "%.40s: charts are drawn in ASCII", nl_langinfo(CODESET));
        snprintf(line->remedy, sizeof(line->remedy), "export LC_ALL=C.UTF-8");
    }
}

static void examine_output(struct doctor *d)
{
    struct doctor_line *line;
    struct statvfs space;

    if (access(".", W_OK)) {
        line = doctor_add(d, DOCTOR_DEGRADED, "report", "this folder is not writable");
        snprintf(line->remedy, sizeof(line->remedy), "use -o FILE, or go to another folder");
    } else if (statvfs(".", &space) == 0) {
        doctor_add(d, DOCTOR_OK, "report", "rustscope-last.json goes into this folder, %s free",
                   fmt_bytes((double)space.f_bavail * (double)space.f_frsize).s);
    }
}

void doctor_examine(struct doctor *d)
{
    examine_kernel(d);
    examine_proc(d);
    examine_stacks(d);
    examine_attaching(d);
    examine_allocations(d);
    examine_libraries(d);
    examine_terminal(d);
    examine_output(d);
}
