/* SPDX-License-Identifier: MIT */
/*
 * What programs do that a signal-driven sampler meets: tgt_timer_odd MODE; each mode burns 300 ms of CPU in its function
 * and prints what it saw.
 *   masked     a thread that blocks all signals
 *   reset      a forked child that sets all signals to default
 *   handlers   the program handles every real-time signal itself; prints how many it got (must be 0)
 *   profiled   a SIGPROF profiler of its own by setitimer; prints "ticks yes"
 *   altstack   work inside a signal handler on a signal stack
 *   coroutine  work on a makecontext() stack
 *   deep       100,000 frames of recursion
 *   sandbox    a seccomp filter that kills for clock_gettime's and other rare system calls
 *   eintr      sleeps between bursts; prints how often nanosleep was interrupted
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu_time.h"

static volatile sig_atomic_t seen;

static void on_signal(int signo)
{
    (void)signo;
    seen++;
}

NOINLINE void masked_work(void)
{
    burn_ms(300);
}

static void *masked_thread(void *arg)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    masked_work();
    return arg;
}

static void masked(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, masked_thread, NULL) == 0)
        pthread_join(thread, NULL);
}

NOINLINE void reset_work(void)
{
    burn_ms(300);
}

static void reset(void)
{
    pid_t child = fork();
    int status = 1;

    if (child == 0) {
        for (int signo = 1; signo < 65; signo++)
            signal(signo, SIG_DFL);
        reset_work();
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("child %d\n", status);
}

NOINLINE void handlers_work(void)
{
    burn_ms(300);
}

static void handlers(void)
{
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
        signal(signo, on_signal);
    handlers_work();
    printf("seen %d\n", (int)seen);
}

NOINLINE void profiled_work(void)
{
    burn_ms(300);
}

static void profiled(void)
{
    const struct itimerval every = {{0, 10000}, {0, 10000}};

    signal(SIGPROF, on_signal);
    setitimer(ITIMER_PROF, &every, NULL);
    profiled_work();
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    printf("ticks %s\n", seen > 5 ? "yes" : "no");
}

NOINLINE void altstack_work(void)
{
    burn_ms(300);
}

static void work_in_handler(int signo)
{
    (void)signo;
    altstack_work();
}

NOINLINE void altstack_interrupted(void)
{
    raise(SIGUSR1);
    __asm__ volatile("");
}

static void altstack(void)
{
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction act = {.sa_handler = work_in_handler, .sa_flags = SA_ONSTACK};

    if (!stack.ss_sp || sigaltstack(&stack, NULL) != 0)
        exit(1);
    sigaction(SIGUSR1, &act, NULL);
    altstack_interrupted();
}

static ucontext_t main_context, coroutine_context;

NOINLINE void coroutine_work(void)
{
    burn_ms(300);
}

NOINLINE void coroutine_main(void)
{
    coroutine_work();
    __asm__ volatile("");
}

static void coroutine(void)
{
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = malloc(65536);
    coroutine_context.uc_stack.ss_size = 65536;
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, coroutine_main, 0);
    swapcontext(&main_context, &coroutine_context);
}

NOINLINE void deep_work(void)
{
    burn_ms(300);
}

NOINLINE int deep_call(int depth)
{
    int result = 0;

    if (depth == 0)
        deep_work();
    else
        result = deep_call(depth - 1);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static void *deep_thread(void *arg)
{
    deep_call(100000);
    return arg;
}

static void deep(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 20);
    if (pthread_create(&thread, &attr, deep_thread, NULL) == 0)
        pthread_join(thread, NULL);
}

NOINLINE void sandbox_work(void)
{
    for (volatile long i = 0; i < 300000000; i++)
        ;
}

/* Everything but write, exit_group and the return from a signal kills. */
static void sandbox(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        exit(1);
    sandbox_work();
    _exit(0);
}

NOINLINE void eintr_work(void)
{
    burn_ms(3);
}

static void eintr(void)
{
    int interrupted = 0;

    for (int i = 0; i < 100; i++) {
        eintr_work();
        if (nanosleep(&(struct timespec){0, 1000000}, NULL) != 0 && errno == EINTR)
            interrupted++;
    }
    printf("interrupted %d\n", interrupted);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {
        {"masked", masked}, {"reset", reset},         {"handlers", handlers}, {"profiled", profiled},
        {"deep", deep},     {"altstack", altstack},   {"sandbox", sandbox},   {"coroutine", coroutine},
        {"eintr", eintr},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (argc > 1 && strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run();
            return 0;
        }
    return 2;
}
