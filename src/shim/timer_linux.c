/* SPDX-License-Identifier: MIT */
/*
 * CPU samples without perf_event: each thread gets a timer on its own CPU clock that sends it a signal, and the handler
 * walks the interrupted stack. What most unprivileged users get (perf_event_paranoid 3 on Debian, containers).
 *
 * The kernel looks at CPU timers at its ticks, so the real rate is at most CONFIG_HZ; a sample stands for the periods
 * that went by, 1 + si_overrun of them, and the weights add up to the CPU time. The first period of a thread is a
 * random part of one: many short threads would otherwise lose half a period each.
 *
 * Threads get their timer from a pthread_create() hook, before their function runs (it is then tail-called: no frame of
 * ours stays below it), and forked children from pthread_atfork(). Threads made by a bare clone() have no thread-local
 * memory of libc's to work with and are not sampled. There are no other threads yet when the shim is loaded, so
 * /proc/self/task holds nothing to look for.
 *
 * The signal is a real-time one that nobody handles, from SIGRTMAX down, not SIGPROF: programs with a profiler of their
 * own keep theirs. It is left out of every mask that the program sets, and the program is told that it is unhandled;
 * setting it to default or ignored, as daemons and shells do with all signals, is taken as done. Should the program
 * want to handle it, the timers go first and the signal is the program's.
 *
 * What the program may notice: a system call that sleeps and cannot be restarted (nanosleep, poll, select, epoll_wait)
 * may return EINTR when a tick of its thread's CPU time ends while it goes to sleep.
 *
 * Cost: 20 µs a signal in a VM, 4 KiB of the slab a thread, and about 200 KiB of address space (20 touched).
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "core/channel.h"
#include "core/clock.h"
#include "core/stack.h"
#include "core/syscall_linux.h"
#include "shim/record.h"

#define HOOK __attribute__((visibility("default")))

HOOK int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*function)(void *), void *arg);
HOOK int pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
HOOK int sigprocmask(int how, const sigset_t *set, sigset_t *old);
HOOK int sigaction(int signo, const struct sigaction *act, struct sigaction *old);
HOOK sighandler_t signal(int signo, sighandler_t handler);

enum {
    CANDIDATES = 16,         /* signals to try, from SIGRTMAX down */
    IDLE_PERIOD_US = 1000000 /* while the CLI does not answer */
};

/* A thread's timer. Blocks are kept for the next thread and never unmapped; a forked child finds them zeroed. */
struct timer_thread {
    struct timer_thread *next; /* of all blocks */
    _Atomic uint32_t taken;
    _Atomic uint32_t armed; /* `timer` exists */
    int32_t timer;
    uint32_t tid;
    uint32_t period_us;          /* that it runs at */
    uint64_t stack_lo, stack_hi; /* of the thread's own stack */
    struct rs_stream stream;
    struct rs_stack stack; /* its nodes, modules and rules; it keeps no previous stack */
};

static __thread struct timer_thread *self __attribute__((tls_model("initial-exec")));

static _Atomic(struct timer_thread *) blocks;
static _Atomic uint32_t spare_blocks;
static _Atomic int our_signal; /* 0: not chosen */
static _Atomic bool given_up;  /* no free signal, or the program took ours */
static pthread_key_t exit_key;

/* ---- the real functions ---- */

static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*real_pthread_sigmask)(int, const sigset_t *, sigset_t *);
static int (*real_sigprocmask)(int, const sigset_t *, sigset_t *);
static int (*real_sigaction)(int, const struct sigaction *, struct sigaction *);
static sighandler_t (*real_signal)(int, sighandler_t);

/* All at once: dlsym() must not run for the first time in a forked child or a signal handler. */
static void look_up_all(void)
{
    const struct {
        void *slot;
        const char *name;
    } functions[] = {
        {&real_pthread_create, "pthread_create"},
        {&real_pthread_sigmask, "pthread_sigmask"},
        {&real_sigprocmask, "sigprocmask"},
        {&real_sigaction, "sigaction"},
        {&real_signal, "signal"},
    };
    int saved = errno;

    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        void *found = dlsym(RTLD_NEXT, functions[i].name);

        memcpy(functions[i].slot, &found, sizeof(found));
    }
    errno = saved;
}

#define REAL(name) (__builtin_expect(!real_##name, 0) ? (look_up_all(), real_##name) : real_##name)

/* ---- one sample ---- */

static struct rs_full_regs full_regs(const mcontext_t *mc)
{
    struct rs_full_regs full = {.known = ((uint64_t)1 << (RS_REG_PC + 1)) - 1};

#if defined(__aarch64__)
    memcpy(full.reg, mc->regs, sizeof(mc->regs)); /* x0 - x30 */
    full.reg[RS_REG_SP] = mc->sp;
    full.reg[RS_REG_PC] = mc->pc;
#else
    static const uint8_t greg[RS_REGS] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                          REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                          REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

    for (unsigned reg = 0; reg < RS_REGS; reg++)
        full.reg[reg] = (uint64_t)mc->gregs[greg[reg]];
#endif
    return full;
}

static bool may_call_kernel(void)
{
    return !atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed);
}

/* The mapping that holds SP: the thread's own stack, or a coroutine's, which may be gone tomorrow and is asked for. */
static bool stack_end(const struct timer_thread *t, uint64_t sp, uint64_t *hi)
{
    uint64_t lo;

    *hi = t->stack_hi;
    if (sp - t->stack_lo < t->stack_hi - t->stack_lo)
        return true;
    return may_call_kernel() && rs_stack_bounds(sp, &lo, hi);
}

static enum rs_stop walk(struct timer_thread *t, const ucontext_t *uc, uint32_t *node)
{
    struct rs_full_regs full = full_regs(&uc->uc_mcontext);
    struct rs_regs regs = {.pc = full.reg[RS_REG_PC],
                           .sp = full.reg[RS_REG_SP],
                           .fp = full.reg[RS_REG_FP],
                           .lr = RS_RA_MAY_BE_IN_LR ? full.reg[RS_REG_RA] : 0,
                           .exact = true,
                           .full = &full};
    struct rs_unwinder *u = &t->stack.unwinder;
    enum rs_stop why = RS_STOP_READ;
    unsigned count = 1;
    uint64_t hi;

    t->stack.new_pc[0] = rs_regs_address(&regs);
    if (stack_end(t, regs.sp, &hi)) {
        rs_unwinder_stack(u, regs.sp, hi, 0);
        u->read = may_call_kernel() ? rs_unwind_read_self : NULL;
        count = rs_unwind(u, &regs, t->stack.new_pc, RS_STACK_FRAMES, &why);
    }
    *node = rs_stack_intern(&t->stack, t->stack.new_pc, count, why == RS_STOP_ROOT);
    return why;
}

static void set_period(struct timer_thread *t, uint32_t period_us, uint32_t first_us)
{
    const struct itimerspec spec = {
        .it_interval = {period_us / 1000000, period_us % 1000000 * 1000},
        .it_value = {first_us / 1000000, first_us % 1000000 * 1000 + 1},
    };

    if (t->period_us != period_us && may_call_kernel()) {
        rs_syscall6(SYS_timer_settime, t->timer, 0, (long)&spec, 0, 0, 0);
        t->period_us = period_us;
    }
}

static void note_sample(struct timer_thread *t, const ucontext_t *uc, uint32_t periods)
{
    uint32_t node, period_us = t->period_us;
    enum rs_stop why = walk(t, uc, &node);
    struct rs_wire_sample *r = rs_stream_reserve(&t->stream, sizeof(*r), false);

    if (!r)
        return;
    *r = (struct rs_wire_sample){.word = RS_RECORD(RS_RECORD_SAMPLE, sizeof(*r)),
                                 .node = node,
                                 .periods = periods,
                                 .period_us = period_us,
                                 .stop = why,
                                 .clock_ns = rs_clock_mono_ns()};
    rs_stream_commit(&t->stream);
}

static void on_timer(int signo, siginfo_t *info, void *context)
{
    struct timer_thread *t = self;
    int saved = errno;

    (void)signo;
    /* Another thread's block, or none: a stray signal, or a child that shares our memory. */
    if (info->si_code != SI_TIMER || !t || !atomic_load(&t->armed) || info->si_value.sival_ptr != t)
        return;
    if (!rs_channel_active()) {
        set_period(t, IDLE_PERIOD_US, IDLE_PERIOD_US);
    } else if (t->period_us == IDLE_PERIOD_US) {
        set_period(t, t->stream.channel->slab->timer_period_us, t->stream.channel->slab->timer_period_us);
    } else {
        note_sample(t, context, 1 + (uint32_t)(info->si_overrun > 0 ? info->si_overrun : 0));
    }
    errno = saved;
}

/* ---- the signal ---- */

/* Take the first real-time signal that nobody handles. */
static int choose_signal(void)
{
    struct sigaction act = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK}, old;

    sigemptyset(&act.sa_mask);
    for (int signo = SIGRTMAX - 1; signo > SIGRTMAX - 1 - CANDIDATES && signo > SIGRTMIN; signo--) {
        if (REAL(sigaction)(signo, NULL, &old) != 0 || old.sa_handler != SIG_DFL)
            continue;
        if (REAL(sigaction)(signo, &act, NULL) == 0)
            return signo;
    }
    return 0;
}

static int signal_to_use(void)
{
    static _Atomic uint32_t choosing;
    int signo = atomic_load(&our_signal);
    uint32_t idle = 0;

    if (signo || atomic_load(&given_up) || !atomic_compare_exchange_strong(&choosing, &idle, 1))
        return signo;
    signo = choose_signal();
    atomic_store(&our_signal, signo);
    if (!signo)
        atomic_store(&given_up, true);
    return signo;
}

/* ---- threads ---- */

static struct timer_thread *take_block(void)
{
    struct timer_thread *t;

    if (atomic_load(&spare_blocks))
        for (t = atomic_load(&blocks); t; t = t->next) {
            uint32_t no = 0;

            if (atomic_compare_exchange_strong(&t->taken, &no, 1)) {
                atomic_fetch_sub(&spare_blocks, 1);
                return t;
            }
        }
    t = rs_channel_memory(sizeof(*t));
    if (!t)
        return NULL;
    atomic_store(&t->taken, 1);
    t->next = atomic_load(&blocks);
    while (!atomic_compare_exchange_weak(&blocks, &t->next, t))
        ;
    return t;
}

static void give_block(struct timer_thread *t)
{
    atomic_store(&t->taken, 0);
    atomic_fetch_add(&spare_blocks, 1);
}

static bool send_node(void *ctx, uint32_t node, uint32_t parent, uint32_t module, uint64_t address)
{
    struct timer_thread *t = ctx;

    if (!rs_record_node(&t->stream, node, parent, module, address))
        return false;
    rs_stream_commit(&t->stream);
    return true;
}

static bool send_module(void *ctx, const struct rs_stack_module *module, const char *path)
{
    struct timer_thread *t = ctx;

    if (!rs_record_module(&t->stream, module, path))
        return false;
    rs_stream_commit(&t->stream);
    return true;
}

/* struct sigevent as the kernel has it; libc's hides the thread id under names of its own. */
struct kernel_sigevent {
    void *value;
    int signo, notify, tid;
    int padding[11];
};

static bool make_timer(struct timer_thread *t, int signo)
{
    struct kernel_sigevent event = {.value = t, .signo = signo, .notify = SIGEV_THREAD_ID, .tid = (int)t->tid};
    sigset_t only;

    if (rs_syscall3(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, (long)&event, (long)&t->timer) != 0)
        return false;
    atomic_store(&t->armed, 1);
    sigemptyset(&only);
    sigaddset(&only, signo);
    REAL(pthread_sigmask)(SIG_UNBLOCK, &only, NULL);
    return true;
}

static void delete_timer(struct timer_thread *t)
{
    if (atomic_exchange(&t->armed, 0) && may_call_kernel())
        rs_syscall3(SYS_timer_delete, t->timer, 0, 0);
}

/* 1 .. PERIOD, different from thread to thread. */
static uint32_t random_part(uint32_t period, uint32_t tid)
{
    uint64_t x = (rs_clock_mono_ns() ^ (uint64_t)tid << 32) * 0x9e3779b97f4a7c15u;

    return 1 + (uint32_t)((x >> 33) % period);
}

static struct rs_channel *channel_with_timer(void)
{
    struct rs_channel *channel = rs_channel_get(RS_SOURCE_SHIM);

    return channel && channel->slab && channel->slab->timer_period_us && !atomic_load(&given_up) && may_call_kernel()
               ? channel
               : NULL;
}

/* Start this thread's timer. Without a channel, or where anything is refused: nothing. Keeps errno. */
static __attribute__((noinline)) void arm(void)
{
    struct rs_channel *channel = channel_with_timer();
    int saved = errno, signo = channel ? signal_to_use() : 0;
    struct rs_nodes *nodes = signo ? rs_record_nodes() : NULL;
    struct timer_thread *t = nodes ? take_block() : NULL;
    uint32_t period_us;

    if (!t)
        goto out;
    period_us = channel->slab->timer_period_us;
    t->tid = (uint32_t)rs_syscall3(SYS_gettid, 0, 0, 0);
    if (!t->stack.nodes) /* a thread before us may have had it: what it knows of code holds for all */
        rs_stack_init(&t->stack, nodes, &(struct rs_stack_sink){send_node, send_module, t}, false);
    rs_stream_open(&t->stream, channel, RS_SOURCE_TIMER, rs_channel_new_thread(channel), t->tid);
    if (!rs_stack_bounds((uintptr_t)__builtin_frame_address(0), &t->stack_lo, &t->stack_hi))
        t->stack_lo = t->stack_hi = 0;
    t->period_us = 0;
    self = t;
    if (make_timer(t, signo)) {
        pthread_setspecific(exit_key, t);
        set_period(t, period_us, random_part(period_us, t->tid));
    } else {
        self = NULL;
        rs_stream_close(&t->stream);
        give_block(t);
    }
out:
    errno = saved;
}

static void on_thread_exit(void *block)
{
    struct timer_thread *t = block;

    if (t != self)
        return;
    delete_timer(t);
    self = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    rs_stream_close(&t->stream);
    rs_stack_release(&t->stack);
    give_block(t);
}

struct thread_start {
    void *(*function)(void *);
    void *arg;
};

static void *start_thread(void *memory)
{
    struct thread_start start = *(struct thread_start *)memory;

    rs_channel_memory_release(memory, sizeof(start));
    arm();
    return start.function(start.arg); /* a jump: stacks end in libc's frames, as they should */
}

HOOK int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*function)(void *), void *arg)
{
    struct thread_start *start = channel_with_timer() ? rs_channel_memory(sizeof(*start)) : NULL;
    int rc;

    if (!start)
        return REAL(pthread_create)(thread, attr, function, arg);
    *start = (struct thread_start){function, arg};
    rc = REAL(pthread_create)(thread, attr, start_thread, start);
    if (rc != 0)
        rs_channel_memory_release(start, sizeof(*start));
    return rc;
}

/* The parent's timers are not inherited, its blocks are zeroed. */
static void in_forked_child(void)
{
    self = NULL;
    atomic_store(&blocks, NULL);
    atomic_store(&spare_blocks, 0);
    arm();
}

/*
 * pthread_atfork() is no function of glibc's libc.so but one that is linked into us, and calls a name that musl lacks:
 * one strong reference to that, and a musl program under us would not start. musl has the function itself.
 */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
    __attribute__((weak));

static void call_in_forked_children(void (*function)(void))
{
    int (*atfork)(void (*)(void), void (*)(void), void (*)(void));

    if (__register_atfork) {
        __register_atfork(NULL, NULL, function, NULL);
        return;
    }
    atfork = (int (*)(void (*)(void), void (*)(void), void (*)(void)))dlsym(RTLD_DEFAULT, "pthread_atfork");
    if (atfork)
        atfork(NULL, NULL, function);
}

__attribute__((constructor)) static void begin(void)
{
    look_up_all();
    if (!channel_with_timer() || pthread_key_create(&exit_key, on_thread_exit) != 0)
        return;
    call_in_forked_children(in_forked_child);
    arm();
}

/* ---- what the program does with signals ---- */

static bool is_ours(int signo)
{
    return signo && signo == atomic_load_explicit(&our_signal, memory_order_relaxed) && !atomic_load(&given_up);
}

/* The program wants to handle our signal: it is the program's. */
static void give_up(void)
{
    atomic_store(&given_up, true);
    for (struct timer_thread *t = atomic_load(&blocks); t; t = t->next)
        delete_timer(t);
}

static void pretend_default(struct sigaction *act)
{
    memset(act, 0, sizeof(*act));
    act->sa_handler = SIG_DFL;
}

HOOK int sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
    if (!is_ours(signo))
        return REAL(sigaction)(signo, act, old);
    if (act && ((act->sa_flags & SA_SIGINFO) || (act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN))) {
        give_up();
        if (REAL(sigaction)(signo, act, NULL) != 0)
            return -1;
    }
    if (old)
        pretend_default(old);
    return 0;
}

HOOK sighandler_t signal(int signo, sighandler_t handler)
{
    if (!is_ours(signo))
        return REAL(signal)(signo, handler);
    if (handler != SIG_DFL && handler != SIG_IGN) {
        give_up();
        if (REAL(signal)(signo, handler) == SIG_ERR)
            return SIG_ERR;
    }
    return SIG_DFL;
}

/* SET without our signal, which must not be blocked; COPY holds it. */
static const sigset_t *without_ours(int how, const sigset_t *set, sigset_t *copy)
{
    int signo = atomic_load_explicit(&our_signal, memory_order_relaxed);

    if (!set || how == SIG_UNBLOCK || !is_ours(signo))
        return set;
    *copy = *set;
    sigdelset(copy, signo);
    return copy;
}

HOOK int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    sigset_t copy;

    return REAL(pthread_sigmask)(how, without_ours(how, set, &copy), old);
}

HOOK int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    sigset_t copy;

    return REAL(sigprocmask)(how, without_ours(how, set, &copy), old);
}
