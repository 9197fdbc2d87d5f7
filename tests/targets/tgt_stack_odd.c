/* SPDX-License-Identifier: MIT */
/*
 * Frames that are hard to unwind, some 150 ms each (not the same, or the compiler would make one function of them): a
 * realigned stack with a variable-length array (DRAP), alloca, a big frame (40 KiB: more than a dump), a signal handler
 * on the thread's own stack and one on an alternate stack.
 */
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_time.h"

static volatile char sink;

NOINLINE void in_drap(void)
{
    burn_ms(150);
}

NOINLINE void with_drap(int n)
{
    char array[n] __attribute__((aligned(64)));

    memset(array, n, (size_t)n);
    in_drap();
    sink = array[n / 2];
}

NOINLINE void in_alloca(void)
{
    burn_ms(151);
}

NOINLINE void with_alloca(int n)
{
    char *bytes = alloca((size_t)n);

    memset(bytes, n, (size_t)n);
    in_alloca();
    sink = bytes[n / 2];
}

NOINLINE void in_big_frame(void)
{
    burn_ms(152);
}

NOINLINE void with_big_frame(void)
{
    char bytes[40 << 10];

    memset(bytes, 7, sizeof(bytes));
    in_big_frame();
    sink = bytes[sizeof(bytes) / 2];
}

NOINLINE void in_handler(void)
{
    burn_ms(153);
}

static void on_signal(int signo)
{
    (void)signo;
    in_handler();
}

NOINLINE void in_alt_handler(void)
{
    burn_ms(154);
}

static void on_alt_signal(int signo)
{
    (void)signo;
    in_alt_handler();
}

NOINLINE void raise_it(int signo)
{
    raise(signo);
    sink = 0;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    stack_t alt = {.ss_size = 64 << 10};

    (void)argv;
    alt.ss_sp = malloc(alt.ss_size);
    sigaltstack(&alt, NULL);
    sigaction(SIGUSR1, &action, NULL);
    action = (struct sigaction){.sa_handler = on_alt_signal, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR2, &action, NULL);
    with_drap(999 + argc);
    with_alloca(5000 + argc);
    with_big_frame();
    raise_it(SIGUSR1);
    raise_it(SIGUSR2);
    return 0;
}
