/* SPDX-License-Identifier: MIT */
#include "run/stopper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "core/clock.h"

static const uint64_t GRACE_NS = 2000000000;
static const uint64_t TWICE_NS = 1000000000;

struct stopper {
    struct loop *loop;
    struct stopper_options options;
    struct loop_watch *timer;
    int next_signal;  /* of the escalation; 0: it does not run */
    bool interrupted; /* by a person or a signal */
    bool duration_over;
    uint64_t last_interrupt_ns;
};

struct stopper *stopper_new(struct loop *loop, const struct stopper_options *options)
{
    struct stopper *stopper = xcalloc(1, sizeof(*stopper));

    stopper->loop = loop;
    stopper->options = *options;
    return stopper;
}

void stopper_free(struct stopper *stopper)
{
    if (!stopper)
        return;
    loop_remove(stopper->loop, stopper->timer);
    free(stopper);
}

static void send(const struct stopper *stopper, int signo)
{
    loop_signal_process(stopper->options.program, signo);
}

static void end(struct stopper *stopper)
{
    loop_remove(stopper->loop, stopper->timer);
    stopper->timer = NULL;
    stopper->options.on_end(stopper->options.ctx);
}

static void escalate(void *ctx, uint64_t expirations)
{
    struct stopper *stopper = ctx;

    (void)expirations;
    loop_remove(stopper->loop, stopper->timer);
    stopper->timer = NULL;
    if (!stopper->next_signal) {
        end(stopper); /* not even SIGKILL: it hangs in the kernel */
        return;
    }
    send(stopper, stopper->next_signal);
    /* A stopped program sees no signal but SIGKILL until it goes on. */
    send(stopper, SIGCONT);
    stopper->next_signal = stopper->next_signal == SIGTERM ? SIGKILL : 0;
    stopper->timer = loop_add_timer(stopper->loop, GRACE_NS, 0, escalate, stopper);
}

static void start_escalation(struct stopper *stopper, int next_signal)
{
    if (stopper->timer)
        return;
    stopper->next_signal = next_signal;
    stopper->timer = loop_add_timer(stopper->loop, GRACE_NS, 0, escalate, stopper);
}

static bool catches_sigint(pid_t pid)
{
    bool catches = false;
    char text[8192];
    size_t len = proc_read(pid, "status", text, sizeof(text));

    return !proc_status_catches(text, len, SIGINT, &catches) && catches;
}

/* Whether Ctrl-C is the program's own business. */
static bool is_interactive(const struct stopper *stopper)
{
    return stopper->options.ours && !stopper->options.screen && stopper->options.stdin_is_terminal &&
           catches_sigint(stopper->options.pid);
}

void stopper_signal(struct stopper *stopper, int signo, bool from_terminal)
{
    uint64_t now_ns = rs_clock_mono_ns();
    bool twice = stopper->last_interrupt_ns && now_ns - stopper->last_interrupt_ns < TWICE_NS;

    if (!stopper->options.ours) {
        stopper->interrupted = true;
        end(stopper);
        return;
    }
    if (stopper->timer) { /* again, while it is asked to end: no more waiting */
        escalate(stopper, 1);
        return;
    }
    if (!from_terminal)
        send(stopper, signo);
    stopper->last_interrupt_ns = now_ns;
    if (signo == SIGINT && from_terminal && !twice && is_interactive(stopper))
        return;
    stopper->interrupted = true;
    start_escalation(stopper, SIGTERM);
}

void stopper_set_screen(struct stopper *stopper, bool screen)
{
    stopper->options.screen = screen;
}

void stopper_quit(struct stopper *stopper)
{
    if (stopper->timer) {
        escalate(stopper, 1);
        return;
    }
    stopper->interrupted = true;
    if (!stopper->options.ours) {
        end(stopper);
        return;
    }
    send(stopper, SIGINT);
    start_escalation(stopper, SIGTERM);
}

void stopper_duration_over(struct stopper *stopper)
{
    stopper->duration_over = true;
    if (!stopper->options.ours || stopper->options.keep) {
        end(stopper);
        return;
    }
    send(stopper, SIGINT);
    start_escalation(stopper, SIGTERM);
}

enum stop_reason stopper_reason(const struct stopper *stopper, int wait_status)
{
    if (stopper->duration_over)
        return STOP_DURATION;
    if (stopper->interrupted)
        return stopper->options.ours || stopper->options.listen ? STOP_INTERRUPT : STOP_DETACHED;
    return WIFSIGNALED(wait_status) ? STOP_SIGNAL : STOP_EXIT;
}

bool stopper_interrupted(const struct stopper *stopper)
{
    return stopper->interrupted;
}
