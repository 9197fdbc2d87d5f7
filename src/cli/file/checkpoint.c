/* SPDX-License-Identifier: MIT */
#include "file/checkpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/clock.h"
#include "file/session_file.h"

static const uint64_t PERIOD_NS = 10000000000;
enum { COST_FACTOR = 100 };

struct checkpoint {
    struct loop *loop;
    struct session *session;
    char *path;
    struct loop_watch *timer, *child_watch;
    pid_t child;
    uint64_t started_ns;
};

static void start(void *ctx, uint64_t expirations);

static void schedule(struct checkpoint *c, uint64_t delay_ns)
{
    c->timer = loop_add_timer(c->loop, delay_ns, 0, start, c);
}

static void reap(struct checkpoint *c)
{
    loop_remove(c->loop, c->child_watch);
    c->child_watch = NULL;
    while (waitpid(c->child, NULL, 0) < 0 && errno == EINTR)
        ;
    c->child = 0;
}

static void on_written(void *ctx)
{
    struct checkpoint *c = ctx;
    uint64_t cost_ns = (rs_clock_mono_ns() - c->started_ns) * COST_FACTOR;

    reap(c);
    schedule(c, cost_ns > PERIOD_NS ? cost_ns : PERIOD_NS);
}

/* In the child. glibc's malloc is usable there: it resets its locks across fork. */
static void write_partial(struct checkpoint *c)
{
    struct session *s = c->session;
    uint64_t bytes;

    for (size_t i = 0; i < s->event_count; i++)
        s->events[i].open = false;
    session_warn(s, "This is a checkpoint of a recording that did not come to its end: rustscope was killed");
    _exit(session_write_file(s, c->path, &bytes, NULL) ? 1 : 0);
}

static void start(void *ctx, uint64_t expirations)
{
    struct checkpoint *c = ctx;

    (void)expirations;
    loop_remove(c->loop, c->timer);
    c->timer = NULL;
    c->started_ns = rs_clock_mono_ns();
    c->child = fork();
    if (!c->child)
        write_partial(c);
    if (c->child > 0 && !loop_add_process(c->loop, c->child, on_written, c, &c->child_watch, NULL))
        return;
    if (c->child > 0) {
        kill(c->child, SIGKILL);
        waitpid(c->child, NULL, 0);
    }
    c->child = 0;
    schedule(c, PERIOD_NS);
}

struct checkpoint *checkpoint_new(struct loop *loop, struct session *session, const char *output)
{
    struct checkpoint *c;
    struct stat st;

    if (!strcmp(output, "-") || (!stat(output, &st) && !S_ISREG(st.st_mode)))
        return NULL;
    c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->session = session;
    c->path = xasprintf("%s.partial", output);
    schedule(c, PERIOD_NS);
    return c;
}

void checkpoint_free(struct checkpoint *c, bool done)
{
    if (!c)
        return;
    loop_remove(c->loop, c->timer);
    if (c->child > 0)
        reap(c); /* waits: a killed writer would leave its temporary file behind */
    if (done)
        unlink(c->path);
    free(c->path);
    free(c);
}
