/* SPDX-License-Identifier: MIT */
#include "tui/terminal.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/proc_view.h"

enum { PIPE_BYTES = 1 << 20, LEAVE_BYTES = 256, DRAIN_MS = 2000 };

/* Shared with the keeper. The fields are set before `taken`. */
struct shared {
    _Atomic int taken; /* the terminal is raw or shows the full screen */
    int tty_fd;
    struct termios settings, raw; /* as found; as we set them */
    char leave[LEAVE_BYTES];      /* leaves the full screen, shows the cursor, resets attributes */
    size_t leave_len;
    _Atomic int full_screen;
};

static struct {
    struct shared *shared;
    int tty_fd;
    SCREEN *screen;
    FILE *out, *in;
    int pipe_write, pipe_read;
    pthread_t pump;
    bool pump_runs;
    _Atomic bool pumping; /* the pump (its only writer) holds bytes that are not on the terminal yet */
    struct canvas shown;
    bool colours;
    attr_t attributes[STYLE_COUNT];
    short pairs[STYLE_COUNT];
} terminal = {.tty_fd = -1, .pipe_write = -1, .pipe_read = -1};

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { CRASH_SIGNALS = sizeof(crash_signals) / sizeof(*crash_signals) };
static struct sigaction crash_actions[CRASH_SIGNALS];

/* -- what the terminal can do ------------------------------------------------------------------------------------- */

bool terminal_possible(void)
{
    const char *term = getenv("TERM");
    int status;
    bool possible;

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) || !term || !*term || !strcmp(term, "dumb"))
        return false;
    /* Started in the background, or with a terminal that is not ours to control. */
    if (tcgetpgrp(STDIN_FILENO) != getpgrp())
        return false;
    if (setupterm(term, STDERR_FILENO, &status) != OK)
        return false;
    possible = tigetstr("cup") && tigetstr("cup") != (char *)-1;
    del_curterm(cur_term);
    return possible;
}

/* Appends capability NAME without its padding ("$<5>"), which only hardware terminals waited for. */
static void add_capability(struct shared *shared, const char *name)
{
    const char *text = tigetstr(name);

    if (!text || text == (char *)-1)
        return;
    while (*text && shared->leave_len < LEAVE_BYTES - 1) {
        if (text[0] == '$' && text[1] == '<' && strchr(text, '>'))
            text = strchr(text, '>') + 1;
        else
            shared->leave[shared->leave_len++] = *text++;
    }
}

static void learn_leaving(struct shared *shared)
{
    int status;

    if (setupterm(NULL, terminal.tty_fd, &status) != OK)
        return;
    add_capability(shared, "sgr0");
    add_capability(shared, "cnorm");
    add_capability(shared, "rmkx");
    add_capability(shared, "rmcup");
    del_curterm(cur_term);
}

/* -- restoring ---------------------------------------------------------------------------------------------------- */

static bool same_settings(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
           !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

void terminal_restore_now(void)
{
    struct shared *shared = terminal.shared;
    struct termios now;
    sigset_t ttou, old;

    if (!shared || !atomic_exchange(&shared->taken, 0))
        return;
    if (atomic_exchange(&shared->full_screen, 0)) {
        ssize_t ignored = write(shared->tty_fd, shared->leave, shared->leave_len);

        (void)ignored;
    }
    /* Once a shell has set its own for the next line, ours are history. */
    if (tcgetattr(shared->tty_fd, &now) < 0 || !same_settings(&now, &shared->raw))
        return;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &old);
    tcsetattr(shared->tty_fd, TCSANOW, &shared->settings);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void on_crash(int signo)
{
    terminal_restore_now();
    for (int i = 0; i < CRASH_SIGNALS; i++)
        if (crash_signals[i] == signo)
            sigaction(signo, &crash_actions[i], NULL);
    raise(signo);
}

static void catch_crashes(bool on)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};

    for (int i = 0; i < CRASH_SIGNALS; i++)
        sigaction(crash_signals[i], on ? &action : &crash_actions[i], on ? &crash_actions[i] : NULL);
}

void terminal_say_goodbye(int alive_fd)
{
    ssize_t ignored = alive_fd >= 0 ? write(alive_fd, "b", 1) : 0;

    (void)ignored;
}

bool terminal_heard_goodbye(int alive_fd)
{
    char word;

    return read(alive_fd, &word, 1) == 1;
}

/* -- the pump ----------------------------------------------------------------------------------------------------- */

static void *run_pump(void *ctx)
{
    char buf[16384];
    ssize_t len;

    (void)ctx;
    for (;;) {
        struct pollfd pending = {.fd = terminal.pipe_read, .events = POLLIN};

        atomic_store(&terminal.pumping, false);
        poll(&pending, 1, -1);
        /* Set while the bytes are still in the pipe, so that a drained pipe and a clear flag mean: all written. */
        atomic_store(&terminal.pumping, true);
        len = read(terminal.pipe_read, buf, sizeof(buf));
        if (len == 0 || (len < 0 && errno != EINTR))
            break;
        for (ssize_t done = 0, n; done < len; done += n) {
            n = write(terminal.tty_fd, buf + done, (size_t)(len - done));
            if (n < 0 && errno == EINTR)
                n = 0;
            else if (n < 0)
                n = len - done; /* the terminal is gone: nobody to tell */
        }
    }
    atomic_store(&terminal.pumping, false);
    return NULL;
}

static int start_pump(struct rs_err *err)
{
    sigset_t all, old;
    int fds[2], rc;

    if (terminal.pump_runs)
        return 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return rs_err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
    terminal.pipe_read = fds[0];
    terminal.pipe_write = fds[1];
    /* Big enough for the largest frame, so that ncurses, which knows no waiting, never waits. */
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&terminal.pump, NULL, run_pump, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    terminal.pump_runs = rc == 0;
    return rc ? rs_err_set(err, -rc, "cannot start a thread: %s", strerror(rc)) : 0;
}

static bool idle(void)
{
    int waiting = 0;

    return ioctl(terminal.pipe_read, FIONREAD, &waiting) == 0 && waiting == 0;
}

void terminal_drain(int timeout_ms)
{
    for (int waited = 0; waited < timeout_ms && terminal.pump_runs; waited++) {
        if (idle() && !atomic_load(&terminal.pumping))
            return;
        poll(NULL, 0, 1);
    }
}

static void stop_pump(void)
{
    struct timespec until;

    if (!terminal.pump_runs)
        return;
    close(terminal.pipe_write);
    terminal.pipe_write = -1;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DRAIN_MS / 1000;
    /* A terminal that takes nothing for that long is left to itself; the thread goes with the process. */
    if (pthread_timedjoin_np(terminal.pump, NULL, &until) == 0)
        close(terminal.pipe_read);
    else
        pthread_detach(terminal.pump);
    terminal.pipe_read = -1;
    terminal.pump_runs = false;
}

size_t terminal_write(const char *bytes, size_t len)
{
    ssize_t n;

    if (start_pump(NULL))
        return len;
    n = write(terminal.pipe_write, bytes, len);
    return n > 0 ? (size_t)n : 0;
}

/* -- settings ----------------------------------------------------------------------------------------------------- */

int terminal_open(struct rs_err *err)
{
    struct shared *shared;

    /* A description of our own: its flags are not the shell's. */
    terminal.tty_fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal.tty_fd < 0)
        return rs_err_set(err, -errno, "cannot open the terminal: %s", strerror(errno));
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || tcgetattr(terminal.tty_fd, &shared->settings) < 0) {
        int rc = -errno;

        if (shared != MAP_FAILED)
            munmap(shared, sizeof(*shared));
        close(terminal.tty_fd);
        terminal.tty_fd = -1;
        return rs_err_set(err, rc, "cannot read the terminal's settings: %s", strerror(-rc));
    }
    shared->tty_fd = terminal.tty_fd;
    terminal.shared = shared;
    learn_leaving(shared);
    catch_crashes(true);
    err_set_restore_hook(terminal_restore_now);
    return terminal.tty_fd;
}

void terminal_raw(bool raw)
{
    struct termios settings = terminal.shared->settings;

    if (!raw) {
        terminal_restore_now();
        return;
    }
    cfmakeraw(&settings);
    tcsetattr(terminal.tty_fd, TCSANOW, &settings);
    tcgetattr(terminal.tty_fd, &terminal.shared->raw);
    atomic_store(&terminal.shared->taken, 1);
}

void terminal_close(void)
{
    if (!terminal.shared)
        return;
    terminal_screen_off();
    stop_pump();
    terminal_restore_now();
    err_set_restore_hook(NULL);
    catch_crashes(false);
    munmap(terminal.shared, sizeof(*terminal.shared));
    terminal.shared = NULL;
    close(terminal.tty_fd);
    terminal.tty_fd = -1;
    canvas_release(&terminal.shown);
}

bool terminal_in_foreground(void)
{
    return tcgetpgrp(terminal.tty_fd) == getpgrp();
}

void terminal_size(int *rows, int *cols)
{
    struct winsize size = {0};

    ioctl(terminal.tty_fd, TIOCGWINSZ, &size);
    *rows = size.ws_row ? size.ws_row : 24;
    *cols = size.ws_col ? size.ws_col : 80;
}

/* -- the full screen ---------------------------------------------------------------------------------------------- */

static void choose_attributes(void)
{
    const char *no_colour = getenv("NO_COLOR");
    static const attr_t plain[STYLE_COUNT] = {
        [STYLE_TITLE] = A_BOLD,
        [STYLE_DIM] = A_DIM,
        [STYLE_HOT] = A_BOLD,
        [STYLE_SPIKE] = A_BOLD | A_UNDERLINE,
        [STYLE_FLASH] = A_REVERSE | A_BOLD,
        [STYLE_FOCUS] = A_REVERSE,
    };
    short amber, red, green;

    memcpy(terminal.attributes, plain, sizeof(plain));
    memset(terminal.pairs, 0, sizeof(terminal.pairs));
    if (!has_colors() || (no_colour && *no_colour))
        return;
    start_color();
    use_default_colors();
    amber = COLORS >= 256 ? 214 : COLOR_YELLOW;
    red = COLORS >= 256 ? 203 : COLOR_RED;
    green = COLORS >= 256 ? 71 : COLOR_GREEN;
    init_pair(1, green, -1);
    init_pair(2, amber, -1);
    init_pair(3, red, -1);
    terminal.pairs[STYLE_FINE] = 1;
    terminal.pairs[STYLE_HOT] = 2;
    terminal.pairs[STYLE_SPIKE] = terminal.pairs[STYLE_FLASH] = 3;
    terminal.attributes[STYLE_HOT] = A_NORMAL;
    terminal.attributes[STYLE_SPIKE] = A_BOLD;
}

/* A description of its own: ncurses spins on a descriptor that does not block. */
static FILE *stream_on(int fd, const char *mode)
{
    char path[32];
    int copy;
    FILE *f;

    copy = open(proc_path(path, sizeof(path), "self/fd/%d", fd),
                (*mode == 'w' ? O_WRONLY : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
    f = copy >= 0 ? fdopen(copy, mode) : NULL;

    if (!f && copy >= 0)
        close(copy);
    return f;
}

static void close_streams(void)
{
    if (terminal.out)
        fclose(terminal.out);
    if (terminal.in)
        fclose(terminal.in);
    terminal.out = terminal.in = NULL;
}

/* newterm() takes signals for itself; ours come through the event loop. */
static SCREEN *new_screen(void)
{
    const int taken[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
    struct sigaction actions[4];
    SCREEN *screen;

    for (int i = 0; i < 4; i++)
        sigaction(taken[i], NULL, &actions[i]);
    screen = newterm(NULL, terminal.out, terminal.in);
    for (int i = 0; i < 4; i++)
        sigaction(taken[i], &actions[i], NULL);
    return screen;
}

int terminal_screen_on(struct rs_err *err)
{
    int rc = start_pump(err);

    if (rc || terminal.screen)
        return rc;
    terminal.out = stream_on(terminal.pipe_write, "w");
    terminal.in = stream_on(terminal.tty_fd, "r");
    if (terminal.out && terminal.in)
        terminal.screen = new_screen();
    if (!terminal.screen) {
        close_streams();
        return rs_err_set(err, -ENOTTY, "the terminal has no full screen");
    }
    atomic_store(&terminal.shared->full_screen, 1);
    choose_attributes();
    curs_set(0);
    leaveok(stdscr, TRUE);
    typeahead(-1); /* keys that wait are not a reason to leave a frame half drawn */
    canvas_resize(&terminal.shown, 0, 0);
    return 0;
}

void terminal_screen_off(void)
{
    if (!terminal.screen)
        return;
    endwin();
    delscreen(terminal.screen);
    terminal.screen = NULL;
    close_streams();
    terminal_drain(DRAIN_MS);
    atomic_store(&terminal.shared->full_screen, 0);
}

static void put_cell(int row, int col, const struct cell *cell)
{
    wchar_t text[2] = {(wchar_t)cell->glyph, 0};
    cchar_t out;

    /* The charset decided what cells hold; in ASCII wide functions would only cost. */
    setcchar(&out, text, terminal.attributes[cell->style], terminal.pairs[cell->style], NULL);
    mvadd_wch(row, col, &out);
}

void terminal_show(const struct canvas *canvas)
{
    struct canvas *shown = &terminal.shown;

    if (!terminal.screen || !canvas->rows || !canvas->cols || !idle())
        return;
    if (shown->rows != canvas->rows || shown->cols != canvas->cols) {
        resizeterm(canvas->rows, canvas->cols);
        clear();
        canvas_resize(shown, canvas->rows, canvas->cols);
    }
    for (int row = 0; row < canvas->rows; row++)
        for (int col = 0; col < canvas->cols; col++) {
            size_t i = (size_t)row * (size_t)canvas->cols + (size_t)col;
            const struct cell *cell = &canvas->cells[i];

            if (cell->glyph == shown->cells[i].glyph && cell->style == shown->cells[i].style)
                continue;
            shown->cells[i] = *cell;
            if (cell->glyph)
                put_cell(row, col, cell);
        }
    refresh();
}
