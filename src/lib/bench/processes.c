/* SPDX-License-Identifier: MIT */
/*
 * --processes N runs this program N times, each time at other addresses and with the stack shifted, and measures a part
 * of the time in each: how a process is laid out moves a benchmark by more than its interval tells, and one process
 * cannot know by how much. What is saved or compared takes five by itself.
 */
#include "lib/bench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bench_math.h"
#include "lib/clock.h"
#include "lib/os.h"

extern char **environ;

enum { ARGS_BYTES = 1 << 16, ARGS_MAX = 4096 };

/* Adds what another process measured of the same benchmark. */
static bool join(struct rs_bench_result *into, struct rs_bench_result *from)
{
    uint32_t each = into->counts.samples / into->counts.processes, more;
    double *samples;

    if (into->refusal || from->refusal) {
        if (!into->refusal) {
            into->refusal = from->refusal;
            from->refusal = NULL;
        }
        return true;
    }
    /* Equally many from each: the surplus of the longer ones goes. */
    more = from->counts.samples < each ? from->counts.samples : each;
    samples = malloc((size_t)more * (into->counts.processes + 1) * sizeof(*samples));
    if (!samples)
        return false;
    for (uint32_t i = 0; i < into->counts.processes; i++)
        memcpy(samples + (size_t)i * more, into->samples_ns + (size_t)i * each, more * sizeof(*samples));
    memcpy(samples + (size_t)into->counts.processes * more, from->samples_ns, more * sizeof(*samples));
    free(into->samples_ns);
    into->samples_ns = samples;
    into->counts.processes++;
    into->counts.samples = more * into->counts.processes;
    into->counts.iterations += from->counts.iterations;
    into->counts.warmup_iterations += from->counts.warmup_iterations;
    into->counts.alloc_bytes += from->counts.alloc_bytes;
    into->counts.alloc_blocks += from->counts.alloc_blocks;
    into->counts.flags |= from->counts.flags;
    return true;
}

/* The program's own arguments where the system tells them, else those that we were given. */
static char **own_arguments(int argc, char **argv)
{
    static char text[ARGS_BYTES], *args[ARGS_MAX];
    long len = rs_os_arguments(text, ARGS_BYTES);
    size_t count = 0;

    if (len > 0 && len < ARGS_BYTES) {
        for (char *at = text; at < text + len && count < ARGS_MAX - 1; at += strlen(at) + 1)
            args[count++] = at;
    } else {
        for (; count < (size_t)argc && count < ARGS_MAX - 1; count++)
            args[count] = argv[count];
    }
    args[count] = NULL;
    return args;
}

/* Our environment without RUSTSCOPE_OUT (the child has no report to write), with FD and a pad that shifts the stack. */
static char **child_environment(char *fd_text, char *pad)
{
    size_t count = 0, kept = 0;
    char **out;

    while (environ[count])
        count++;
    out = calloc(count + 3, sizeof(*out));
    if (!out)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "RUSTSCOPE_OUT=", 14))
            out[kept++] = environ[i];
    out[kept++] = fd_text;
    out[kept++] = pad;
    return out;
}

/* Runs this program again and reads what it measures into LIST. 0, or a negative errno. */
static int run_again(int argc, char **argv, uint32_t number, struct rs_bench_list *list)
{
    char path[4096], fd_text[64], pad[4200] = "RUSTSCOPE_BENCH_PAD=";
    char **args = own_arguments(argc, argv), **environment;
    posix_spawn_file_actions_t actions;
    uint64_t random = rs_clock_mono_ns_of(rs_clock_ticks(), 1) + number;
    long len = rs_os_executable(path, sizeof(path) - 1);
    int pipe_fds[2], status, rc;
    pid_t child;
    FILE *from;

    if (len <= 0)
        snprintf(path, sizeof(path), "%s", argv[0]);
    else
        path[len] = '\0';
    memset(pad + strlen(pad), 'x', rs_random_below(&random, 4096));
    if (pipe(pipe_fds))
        return -errno;
    fcntl(pipe_fds[0], F_SETFD, FD_CLOEXEC);
    snprintf(fd_text, sizeof(fd_text), "RUSTSCOPE_BENCH_CHILD=%d", pipe_fds[1]);
    environment = child_environment(fd_text, pad);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    rc = environment ? -posix_spawn(&child, path, &actions, NULL, args, environment) : -ENOMEM;
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    free(environment);
    from = fdopen(pipe_fds[0], "r");
    if (!rc && from) {
        rc = rs_bench_text_read(from, list);
        fclose(from);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (!rc && (!WIFEXITED(status) || WEXITSTATUS(status)))
            rc = -ECHILD;
    }
    return rc;
}

int rs_bench_run_processes(const struct rs_bench_options *o, int argc, char **argv, struct rs_bench_list *measured)
{
    for (uint32_t p = 0; p < o->processes; p++) {
        struct rs_bench_list list = {0};
        int rc;

        if (isatty(2))
            fprintf(stderr, "\rprocess %u of %u\033[K", p + 1, o->processes);
        rc = run_again(argc, argv, p, &list);
        for (size_t i = 0; i < list.count && !rc; i++) {
            struct rs_bench_result *r = &list.results[i];
            struct rs_bench_result *known = (struct rs_bench_result *)(uintptr_t)rs_bench_list_find(measured, r->name);

            if (known ? !join(known, r) : !rs_bench_list_add(measured, r))
                rc = -ENOMEM;
        }
        rs_bench_list_release(&list);
        if (isatty(2))
            fprintf(stderr, "\r\033[K");
        if (rc) {
            fprintf(stderr, "%s: process %u of %u: %s\n", o->program, p + 1, o->processes,
                    rc == -ECHILD ? "it ended before its benchmarks were done" : strerror(-rc));
            return rc;
        }
    }
    for (size_t i = 0; i < measured->count; i++)
        if (!measured->results[i].refusal && rs_bench_result_summarize(&measured->results[i], 1))
            return -ENOMEM;
    return 0;
}

int rs_bench_serve_parent(int to_parent, const struct rs_bench_item *items, size_t count)
{
    FILE *to = fdopen(to_parent, "w");
    struct rs_bench_result r;

    if (!to)
        return 1;
    for (size_t i = 0; i < count; i++) {
        if (!rs_bench_run_item(&items[i], &r))
            return 1;
        rs_bench_text_write(to, &r);
        fflush(to);
        rs_bench_result_release(&r);
    }
    return fclose(to) ? 1 : 0;
}
