/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "collect/channel/channel.h"
#include "command/conclude.h"
#include "core/clock.h"
#include "core/path.h"
#include "run/host.h"
#include "run/record_options.h"
#include "session/session.h"
#include "system/loop.h"

/*
 * Collects from programs that somebody else starts: in a container, under systemd, on a schedule. They are told by
 * their environment where the FIFO is; nothing but it connects them with us, so there are no process metrics and no
 * sampled stacks here, and no promise for the last 250 ms of a program that is killed.
 */
enum { POLL_NS = 50000000 };

struct listening {
    struct session *session;
    struct loop *loop;
    struct channel *channel;
    int signal_fd;
    enum stop_reason reason;
};

static void help(void)
{
    puts("usage: rustscope listen [-o FILE] [-d SECONDS] [--suppress FILE] [-q] FIFO\n"
         "\n"
         "Collects allocations and scopes from programs that are started elsewhere, until Ctrl-C, SIGTERM or -d.\n"
         "FIFO is made if it does not exist. Start the programs with\n"
         "\n"
         "    RUSTSCOPE_ALLOC_PIPE=/absolute/path/of/FIFO LD_PRELOAD=/path/of/librustscope_shim.so PROGRAM\n"
         "\n"
         "In a container: mount the FIFO's directory and the shim into it. Under systemd: two Environment= lines.\n"
         "A program that is killed may lose its last 250 ms.");
}

static void on_poll(void *ctx, uint64_t expirations)
{
    (void)expirations;
    channel_poll(((struct listening *)ctx)->channel);
}

static void on_signal(void *ctx, uint32_t events)
{
    struct listening *l = ctx;

    (void)events;
    l->reason = STOP_INTERRUPT;
    loop_stop(l->loop);
}

static void on_duration_over(void *ctx, uint64_t expirations)
{
    struct listening *l = ctx;

    (void)expirations;
    l->reason = STOP_DURATION;
    loop_stop(l->loop);
}

static void take_signals(struct listening *l)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    l->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signal_fd < 0)
        die(1, "cannot receive signals: %s", strerror(errno));
}

static void describe(struct session *s, const struct record_options *o, const char *fifo)
{
    char cwd[PATH_MAX];

    host_describe(s);
    s->meta.exit_code = -1;
    s->meta.redacted = o->redact;
    s->meta.name = strings_add_str(&s->strings, o->name ? o->name : "listen");
    s->meta.target_binary = strings_add_str(&s->strings, fifo);
    if (getcwd(cwd, sizeof(cwd))) {
        s->meta.cwd = strings_add_str(&s->strings, cwd);
        s->meta.project = strings_add_str(&s->strings, rs_path_base(cwd));
    }
}

/* Programs find the FIFO by its absolute path; that is what we tell them. */
static char *absolute(const char *path)
{
    char cwd[PATH_MAX];

    if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
        return xstrdup(path);
    return xasprintf("%s/%s", cwd, path);
}

static int listen_on(struct listening *l, const struct record_options *o, const char *path)
{
    char *fifo = absolute(path);
    const struct channel_options options = {.allocations = true, .follow = true, .fifo = fifo};
    struct timespec now;
    struct rs_err err;
    int rc;

    clock_gettime(CLOCK_REALTIME, &now);
    l->session = session_new(rs_clock_mono_ns(), (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    describe(l->session, o, fifo);
    l->session->allocations.suppress_file = strings_add_str(&l->session->strings, o->suppress_file);
    take_signals(l);
    l->loop = loop_new();
    if (channel_open(&l->channel, l->session, &options, &err))
        die(1, "%s", err.text);
    if (!o->quiet)
        fprintf(stderr, "rustscope: listening on %s (Ctrl-C ends and reports)\n", fifo);
    loop_add_fd(l->loop, l->signal_fd, EPOLLIN, on_signal, l);
    loop_add_timer(l->loop, POLL_NS, POLL_NS, on_poll, l);
    if (o->duration_sec > 0)
        loop_add_timer(l->loop, (uint64_t)(o->duration_sec * 1e9), 0, on_duration_over, l);
    loop_run(l->loop);

    l->session->meta.stop_reason = l->reason;
    l->session->duration_ns = session_at(l->session, rs_clock_mono_ns());
    channel_finish(l->channel);
    session_warn(l->session, "Collected through a FIFO alone: a program that was killed may lack its last 250 ms");
    rc = conclude(l->session, o->output, o->quiet, &err);
    if (rc)
        warn("%s", err.text);
    channel_close(l->channel);
    loop_free(l->loop);
    session_free(l->session);
    close(l->signal_fd);
    free(fifo);
    return rc ? 1 : 0;
}

int cmd_listen(int argc, char **argv)
{
    struct record_options options;
    struct listening l = {.signal_fd = -1};
    char dashes[] = "--", **args;
    struct rs_err err;
    int status;

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            help();
            return 0;
        }
    if (argc < 2)
        die(2, "which FIFO? rustscope listen [OPTIONS] FIFO");
    /* The options are record's; there the program comes behind "--", here the FIFO comes last. */
    args = xcalloc((size_t)argc + 2, sizeof(*args));
    memcpy(args, argv, ((size_t)argc - 1) * sizeof(*args));
    args[argc - 1] = dashes;
    args[argc] = argv[argc - 1];
    if (record_options_parse(&options, argc + 1, args, &err))
        die(2, "%s", err.text);
    if (options.pid || options.argc != 1)
        die(2, "one FIFO: rustscope listen [OPTIONS] FIFO");
    status = listen_on(&l, &options, options.argv[0]);
    record_options_release(&options);
    free(args);
    return status;
}
