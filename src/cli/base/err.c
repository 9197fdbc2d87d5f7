/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void (*restore_hook)(void);

int rs_err_set(struct rs_err *err, int rc, const char *format, ...)
{
    va_list args;

    if (err) {
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return rc;
}

void err_set_restore_hook(void (*hook)(void))
{
    restore_hook = hook;
}

static void restore(void)
{
    void (*hook)(void) = restore_hook;

    restore_hook = NULL;
    if (hook)
        hook();
}

static void say(const char *format, va_list args)
{
    fputs("rustscope: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void die(int status, const char *format, ...)
{
    va_list args;

    restore();
    va_start(args, format);
    say(format, args);
    va_end(args);
    /* Not exit(): a thread of ours may be in a library whose destructors that would run. */
    fflush(NULL);
    _exit(status);
}

void warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
}

void bug_at(const char *file, int line, const char *format, ...)
{
    va_list args;

    restore();
    fprintf(stderr, "rustscope: bug at %s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(" (please report this)\n", stderr);
    abort();
}
