/* SPDX-License-Identifier: MIT */
#include "tui/tui.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/clock.h"
#include "tui/capture.h"
#include "tui/keys.h"
#include "tui/model.h"
#include "tui/pty.h"
#include "tui/terminal.h"

enum {
    TICK_MS = 100,
    OPEN_AFTER_TICKS = 3,
    READ_BYTES = 16384,
    READ_BUDGET = 4 << 20,  /* a tick: about what a fast terminal takes; the program waits as it would for that */
    ASIDE_BACKLOG = 1 << 16, /* stepped aside, the terminal's pace is the program's pace */
};
static const uint64_t FLASH_NS = 2000000000;
static const int frame_ticks[] = {1, 2, 5, 10, 20, 50};

enum state {
    STATE_IDLE,       /* not started */
    STATE_WAITING,    /* the program has just started; output is kept */
    STATE_SCREEN,     /* the live screen is up */
    STATE_ASIDE,      /* the program has the terminal */
    STATE_BACKGROUND, /* the shell took the terminal from us (bg) */
};

struct stream {
    struct tui *tui;
    unsigned index;
    struct loop_watch *watch; /* NULL: not read for now */
};

struct tui {
    struct tui_options options;
    enum state state, resume; /* resume: what BACKGROUND goes back to */
    pid_t pid;
    int tty_fd;
    bool have_ptys;
    bool secret; /* aside only for as long as echo is off */
    struct ptys ptys;
    struct stream streams[PTY_COUNT];
    size_t read_budget;
    struct loop_watch *tty_watch, *tick;
    struct capture capture;
    char out[2 * 4096]; /* on its way to the terminal while aside, newlines translated */
    size_t out_len, out_at;
    bool at_line_start; /* of the normal screen, as far as we know */
    char in[4096]; /* typed, on its way to the program */
    size_t in_len;
    struct model model;
    struct screen_ui ui;
    struct canvas canvas;
    int rows, cols;
    unsigned ticks, speed; /* speed: into frame_ticks */
    bool table_chosen;
    uint64_t flash_until_ns;
    uint32_t flashed_events; /* of the session's events, those that have flashed */
};

/* Written by the handlers, read by the tick. */
static volatile sig_atomic_t stop_asked, was_continued;
static struct sigaction stop_action, continue_action;

static void on_stop_signal(int signo)
{
    (void)signo;
    stop_asked = 1;
}

static void on_continue_signal(int signo)
{
    (void)signo;
    was_continued = 1;
}

static void catch_job_signals(bool on)
{
    struct sigaction stop = {.sa_handler = on_stop_signal}, cont = {.sa_handler = on_continue_signal};

    sigaction(SIGTSTP, on ? &stop : &stop_action, on ? &stop_action : NULL);
    sigaction(SIGCONT, on ? &cont : &continue_action, on ? &continue_action : NULL);
}

/* -- drawing ------------------------------------------------------------------------------------------------------ */

static const char *output_line(void *ctx, size_t index)
{
    const struct tui *tui = ctx;

    return capture_line(&tui->capture, index);
}

static void update_model(struct tui *tui)
{
    const struct session *s = tui->options.session;
    uint64_t now_ns = rs_clock_mono_ns();
    struct screen_model *screen = &tui->model.screen;
    struct layout layout;

    screen_layout(screen, &tui->ui, tui->rows, tui->cols, &layout);
    model_update(&tui->model, session_at(s, now_ns),
                 screen_points_wanted(&tui->ui, &layout, (double)s->timeline.interval_ns / 1e9));
    screen->output_count = capture_lines(&tui->capture);
    screen->flash = now_ns < tui->flash_until_ns;
    if (!tui->table_chosen)
        tui->ui.table = screen->tables[TABLE_FUNCTIONS].count ? TABLE_FUNCTIONS : TABLE_PROCESSES;
}

static void draw(struct tui *tui)
{
    if (tui->state != STATE_SCREEN)
        return;
    screen_draw(&tui->canvas, &tui->model.screen, &tui->ui);
    terminal_show(&tui->canvas);
}

static void check_size(struct tui *tui)
{
    int rows, cols;

    terminal_size(&rows, &cols);
    if (rows == tui->rows && cols == tui->cols)
        return;
    tui->rows = rows;
    tui->cols = cols;
    canvas_resize(&tui->canvas, rows, cols);
    if (tui->have_ptys)
        ptys_resize(&tui->ptys, rows, cols);
    draw(tui);
}

static void open_screen(struct tui *tui)
{
    struct rs_err err;

    if (terminal_screen_on(&err)) {
        /* Without a screen everything passes through, as if the program had asked for it. */
        tui->state = STATE_ASIDE;
        return;
    }
    tui->state = STATE_SCREEN;
    update_model(tui);
    draw(tui);
}

/* -- the program's output ----------------------------------------------------------------------------------------- */

static void on_output(void *ctx);

static void watch_output(struct tui *tui, bool on)
{
    for (unsigned i = 0; i < PTY_COUNT; i++) {
        struct stream *stream = &tui->streams[i];

        if (on && !stream->watch && tui->ptys.pty[i].master >= 0)
            stream->watch = loop_add_fd(tui->options.loop, tui->ptys.pty[i].master, on_output, stream);
        else if (!on && stream->watch) {
            loop_remove(tui->options.loop, stream->watch);
            stream->watch = NULL;
        }
    }
}

/* The next piece of what was captured, as the terminal needs it: the output ptys did not translate newlines. */
static void fill_out(struct tui *tui)
{
    const char *bytes;
    unsigned stream;
    size_t len = capture_peek(&tui->capture, &stream, &bytes);

    len = len < sizeof(tui->out) / 2 ? len : sizeof(tui->out) / 2;
    tui->out_at = tui->out_len = 0;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' && tui->ptys.newline_to_crlf)
            tui->out[tui->out_len++] = '\r';
        tui->out[tui->out_len++] = bytes[i];
    }
    if (len)
        tui->at_line_start = bytes[len - 1] == '\n';
    capture_consume(&tui->capture, len);
}

/* Passes on what is kept, as far as the terminal takes it, and lets the program write more only then. */
static void pass_output(struct tui *tui)
{
    for (;;) {
        size_t taken;

        if (tui->out_at == tui->out_len)
            fill_out(tui);
        if (tui->out_at == tui->out_len)
            break;
        taken = terminal_write(tui->out + tui->out_at, tui->out_len - tui->out_at);
        tui->out_at += taken;
        if (!taken)
            break;
    }
    watch_output(tui, tui->capture.ring_len < ASIDE_BACKLOG);
}

static void check_mode(struct tui *tui);

static void on_output(void *ctx)
{
    struct stream *stream = ctx;
    struct tui *tui = stream->tui;
    char buf[READ_BYTES];
    ssize_t n = read(tui->ptys.pty[stream->index].master, buf, sizeof(buf));

    if (n <= 0)
        return;
    /* First the settings, then the words: what follows a change of mode belongs to the new mode. */
    check_mode(tui);
    capture_add(&tui->capture, stream->index, buf, (size_t)n);
    if (tui->state == STATE_ASIDE) {
        pass_output(tui);
        return;
    }
    tui->read_budget = tui->read_budget > (size_t)n ? tui->read_budget - (size_t)n : 0;
    if (!tui->read_budget)
        watch_output(tui, false);
}

/* -- stepping aside ----------------------------------------------------------------------------------------------- */

static void say_aside(struct tui *tui, bool secret)
{
    char line[256], name[80];

    fmt_fit(name, sizeof(name), tui->model.screen.program, 40, fmt_locale_charset());
    snprintf(line, sizeof(line),
             secret ? "rustscope: %s asks for something; the live screen comes back afterwards\r\n"
                    : "rustscope: %s uses the terminal; recording goes on, the report comes at its end\r\n",
             *name ? name : "the program");
    terminal_write(line, strlen(line));
}

static void step_aside(struct tui *tui, bool secret)
{
    if (tui->state == STATE_SCREEN)
        terminal_screen_off();
    say_aside(tui, secret);
    tui->state = STATE_ASIDE;
    tui->secret = secret;
    tui->options.on_aside(tui->options.ctx, true);
    pass_output(tui);
}

static void check_mode(struct tui *tui)
{
    enum ptys_mode mode;

    if (!tui->have_ptys || tui->state == STATE_IDLE || tui->state == STATE_BACKGROUND)
        return;
    mode = ptys_sync(&tui->ptys);
    if (tui->state != STATE_ASIDE && mode != PTYS_LINES)
        step_aside(tui, mode == PTYS_SECRET);
    else if (tui->state == STATE_ASIDE && tui->secret && mode == PTYS_WHOLE)
        tui->secret = false; /* for good after all */
    else if (tui->state == STATE_ASIDE && tui->secret && mode == PTYS_LINES) {
        /* The password is in. */
        tui->secret = false;
        tui->options.on_aside(tui->options.ctx, false);
        open_screen(tui);
    }
}

/* -- typing ------------------------------------------------------------------------------------------------------- */

static void on_tty(void *ctx);

static void watch_tty(struct tui *tui, bool on)
{
    if (on && !tui->tty_watch)
        tui->tty_watch = loop_add_fd(tui->options.loop, tui->tty_fd, on_tty, tui);
    else if (!on && tui->tty_watch) {
        loop_remove(tui->options.loop, tui->tty_watch);
        tui->tty_watch = NULL;
    }
}

/* Hands typed bytes to the program; while its pty is full, the keyboard waits. */
static void pass_input(struct tui *tui)
{
    while (tui->in_len) {
        ssize_t n = write(tui->ptys.pty[PTY_MAIN].master, tui->in, tui->in_len);

        if (n <= 0)
            break;
        tui->in_len -= (size_t)n;
        memmove(tui->in, tui->in + n, tui->in_len);
    }
    watch_tty(tui, tui->in_len == 0);
}

static void type(struct tui *tui, const char *bytes, size_t len)
{
    if (!tui->have_ptys)
        return;
    len = len < sizeof(tui->in) - tui->in_len ? len : sizeof(tui->in) - tui->in_len;
    memcpy(tui->in + tui->in_len, bytes, len);
    tui->in_len += len;
    pass_input(tui);
}

static void suspend(struct tui *tui);

static void scroll(struct tui *tui, int key)
{
    struct layout layout;
    enum pane pane = tui->ui.focus;
    int *at = &tui->ui.scroll[pane], page;
    bool from_end = pane == PANE_EVENTS || pane == PANE_OUTPUT;
    int up = from_end ? 1 : -1; /* what is scrolled back to: the past, or the head of a table */

    screen_layout(&tui->model.screen, &tui->ui, tui->rows, tui->cols, &layout);
    page = layout.panes[pane].rows > 2 ? layout.panes[pane].rows - 2 : 1;
    if (key == KEYS_UP || key == KEYS_DOWN)
        *at += key == KEYS_UP ? up : -up;
    else if (key == KEYS_PAGE_UP || key == KEYS_PAGE_DOWN)
        *at += key == KEYS_PAGE_UP ? up * page : -up * page;
    else
        *at = (key == KEYS_HOME) == from_end ? 1 << 20 : 0;
}

static void next_pane(struct tui *tui, int step)
{
    static const enum pane order[] = {PANE_TABLE, PANE_ALLOCATIONS, PANE_EVENTS, PANE_OUTPUT};
    int at = 0;

    while (at < 3 && order[at] != tui->ui.focus)
        at++;
    do
        at = (at + step + 4) % 4;
    while ((order[at] == PANE_OUTPUT && !tui->have_ptys) ||
           (order[at] == PANE_ALLOCATIONS && !tui->model.screen.allocations.count));
    tui->ui.focus = order[at];
}

static void change_span(struct tui *tui, bool more)
{
    static const double spans[] = {5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600};
    size_t at = 0;

    while (at < sizeof(spans) / sizeof(*spans) - 1 && spans[at] < tui->ui.span_s)
        at++;
    if (more && at < sizeof(spans) / sizeof(*spans) - 1)
        at++;
    else if (!more && at > 0)
        at--;
    tui->ui.span_s = spans[at];
}

static void ask_to_end(struct tui *tui, void (*how)(void *ctx))
{
    tui->model.screen.state = tui->have_ptys ? "ending" : "detaching";
    how(tui->options.ctx);
}

static void command(struct tui *tui, int key)
{
    struct screen_ui *ui = &tui->ui;

    if (ui->help && key != 'q') {
        ui->help = false;
        return;
    }
    switch (key) {
    case 'q':
        ask_to_end(tui, tui->options.on_quit);
        break;
    case 'p':
    case ' ':
        ui->paused = !ui->paused;
        break;
    case 'c':
        ui->compact = !ui->compact;
        break;
    case 'z':
    case '\r':
        ui->zoom = !ui->zoom;
        break;
    case 't':
        ui->table = (ui->table + 1) % TABLE_KINDS;
        ui->scroll[PANE_TABLE] = 0;
        tui->table_chosen = true;
        break;
    case 'f':
        tui->speed -= tui->speed > 0;
        break;
    case 's':
        tui->speed += tui->speed + 1 < sizeof(frame_ticks) / sizeof(*frame_ticks);
        break;
    case '+':
    case '=':
        change_span(tui, true);
        break;
    case '-':
        change_span(tui, false);
        break;
    case '?':
    case 'h':
        ui->help = true;
        break;
    default:
        break;
    }
}

static void on_key(struct tui *tui, int key, const char *bytes, size_t len)
{
    bool typing = tui->ui.focus == PANE_OUTPUT;

    if (key == 3) { /* Ctrl-C: through the pty, as from any terminal */
        type(tui, bytes, len);
        ask_to_end(tui, tui->options.on_interrupt);
    } else if (key == 26 && !tui->have_ptys) {
        suspend(tui);
    } else if (key == 26) {
        type(tui, bytes, len); /* the tick sees the program stop */
    } else if (key == '\t' || key == KEYS_BACK_TAB) {
        tui->ui.zoom = false;
        next_pane(tui, key == '\t' ? 1 : -1);
    } else if (key >= KEYS_UP && key <= KEYS_END) {
        scroll(tui, key);
    } else if (typing) {
        type(tui, bytes, len);
        tui->ui.scroll[PANE_OUTPUT] = 0;
    } else {
        command(tui, key);
    }
}

static void on_tty(void *ctx)
{
    struct tui *tui = ctx;
    char buf[1024];
    ssize_t n = read(tui->tty_fd, buf, sizeof(buf));

    if (n <= 0) {
        if (n == 0 || (errno != EINTR && errno != EAGAIN))
            watch_tty(tui, false); /* hung up; SIGHUP tells the rest */
        return;
    }
    if (tui->state == STATE_ASIDE) {
        bool signals = ptys_makes_signals(&tui->ptys);

        for (ssize_t i = 0; i < n; i++)
            if (signals && (cc_t)buf[i] == tui->ptys.pty[PTY_MAIN].seen.c_cc[VINTR])
                tui->options.on_interrupt(tui->options.ctx);
        type(tui, buf, (size_t)n);
        return;
    }
    for (size_t at = 0, used; at < (size_t)n && tui->state == STATE_SCREEN; at += used) {
        int key = key_decode(buf + at, (size_t)n - at, &used);

        on_key(tui, key, buf + at, used);
    }
    if (tui->ui.paused || tui->ui.help)
        tui->model.screen.output_count = capture_lines(&tui->capture);
    else
        update_model(tui);
    draw(tui);
}

/* -- job control -------------------------------------------------------------------------------------------------- */

static void continue_program(const struct tui *tui)
{
    if (tui->have_ptys) {
        pid_t front = tcgetpgrp(tui->ptys.pty[PTY_MAIN].master);

        kill(-(front > 1 ? front : tui->ptys.group), SIGCONT);
    }
}

/* Takes the terminal again after fg, or when a shell gave it to us. */
static void enter_again(struct tui *tui)
{
    terminal_raw(true);
    tui->state = tui->resume;
    if (tui->state == STATE_SCREEN)
        open_screen(tui);
    check_size(tui);
    continue_program(tui);
}

/* Stops us as the shell expects of a job, and goes on when it lets us. */
static void suspend(struct tui *tui)
{
    enum state state = tui->state;

    if (state == STATE_SCREEN)
        terminal_screen_off();
    if (state == STATE_ASIDE)
        pass_output(tui);
    terminal_drain(1000);
    terminal_raw(false);
    catch_job_signals(false);
    kill(0, SIGTSTP);
    catch_job_signals(true);
    stop_asked = was_continued = 0;
    tui->resume = state;
    tui->state = STATE_BACKGROUND;
    if (terminal_in_foreground())
        enter_again(tui);
    else if (state != STATE_ASIDE)
        continue_program(tui); /* bg: the screen can wait; what had the whole terminal cannot go on without it */
}

static void check_jobs(struct tui *tui)
{
    siginfo_t info = {0};

    if (tui->have_ptys && tui->pid > 0 &&
        waitid(P_PID, (id_t)tui->pid, &info, WSTOPPED | WCONTINUED | WNOHANG) == 0 && info.si_pid) {
        if (info.si_code == CLD_CONTINUED)
            tui->model.screen.state = "recording";
        else if (info.si_status == SIGSTOP)
            tui->model.screen.state = "stopped";
        else
            stop_asked = 1; /* as the whole job would be without us */
    }
    if (stop_asked)
        suspend(tui);
    if (was_continued) { /* after SIGSTOP, which nobody can prepare for */
        was_continued = 0;
        if (tui->state != STATE_BACKGROUND && terminal_in_foreground()) {
            if (tui->state == STATE_SCREEN)
                terminal_screen_off();
            tui->resume = tui->state;
            enter_again(tui);
        }
    }
    if (tui->state == STATE_BACKGROUND && terminal_in_foreground())
        enter_again(tui);
}

/* -- the tick ----------------------------------------------------------------------------------------------------- */

static void on_tick(void *ctx, uint64_t expirations)
{
    struct tui *tui = ctx;

    (void)expirations;
    tui->ticks++;
    check_jobs(tui);
    if (tui->state == STATE_BACKGROUND)
        return;
    check_size(tui);
    check_mode(tui);
    tui->read_budget = READ_BUDGET;
    if (tui->have_ptys && tui->in_len)
        pass_input(tui);
    if (tui->state == STATE_ASIDE) {
        pass_output(tui);
    } else if (tui->have_ptys) {
        watch_output(tui, true);
    }
    if (tui->state == STATE_WAITING && tui->ticks >= OPEN_AFTER_TICKS)
        open_screen(tui);
    else if (tui->state == STATE_SCREEN && !tui->ui.paused && tui->ticks % (unsigned)frame_ticks[tui->speed] == 0) {
        update_model(tui);
        draw(tui);
    }
}

/* -- start and end ------------------------------------------------------------------------------------------------ */

bool tui_possible(void)
{
    return terminal_possible();
}

struct tui *tui_new(const struct tui_options *options, struct rs_err *err)
{
    struct tui *tui = xcalloc(1, sizeof(*tui));

    tui->options = *options;
    tui->at_line_start = true;
    tui->tty_fd = terminal_open(err);
    if (tui->tty_fd < 0) {
        free(tui);
        return NULL;
    }
    if (options->launch) {
        if (ptys_open(&tui->ptys, tui->tty_fd, err)) {
            terminal_close();
            free(tui);
            return NULL;
        }
        tui->have_ptys = true;
    }
    for (unsigned i = 0; i < PTY_COUNT; i++)
        tui->streams[i] = (struct stream){.tui = tui, .index = i};
    capture_init(&tui->capture);
    model_init(&tui->model, options->session);
    tui->model.screen.hot_cpu_pct = options->hot_cpu_pct;
    tui->model.screen.has_output = tui->have_ptys;
    tui->model.screen.output_line = output_line;
    tui->model.screen.output_ctx = tui;
    screen_ui_init(&tui->ui);
    tui->canvas.charset = fmt_locale_charset();
    return tui;
}

static pid_t fork_with_terminal(void *ctx)
{
    struct tui *tui = ctx;

    return ptys_fork(&tui->ptys, tui->tty_fd);
}

void tui_prepare_launch(struct tui *tui, struct launch_options *launch)
{
    launch->stdio[STDIN_FILENO] = launch->stdio[STDERR_FILENO] = tui->ptys.pty[PTY_MAIN].slave;
    launch->stdio[STDOUT_FILENO] = tui->ptys.pty[PTY_STDOUT].slave;
    launch->fork = fork_with_terminal;
    launch->fork_ctx = tui;
}

void tui_start(struct tui *tui, pid_t pid)
{
    tui->pid = pid;
    tui->state = STATE_WAITING;
    tui->read_budget = READ_BUDGET;
    terminal_raw(true);
    catch_job_signals(true);
    model_update(&tui->model, 0, 0);
    check_size(tui);
    watch_tty(tui, true);
    if (tui->have_ptys)
        watch_output(tui, true);
    tui->tick = loop_add_timer(tui->options.loop, TICK_MS * 1000000ull, TICK_MS * 1000000ull, on_tick, tui);
}

void tui_flash(struct tui *tui, uint32_t event)
{
    if (event < tui->flashed_events)
        return;
    tui->flashed_events = event + 1;
    tui->flash_until_ns = rs_clock_mono_ns() + FLASH_NS;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);

        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};

            poll(&room, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return; /* nobody reads any more */
        }
    }
}

/* Everything that is still in the ptys: the program has ended, what it wrote is there at once. */
static void take_rest(struct tui *tui)
{
    char buf[READ_BYTES];
    ssize_t n;

    ptys_close_slaves(&tui->ptys);
    for (unsigned i = 0; i < PTY_COUNT; i++)
        while (tui->ptys.pty[i].master >= 0 &&
               (n = read(tui->ptys.pty[i].master, buf, sizeof(buf))) > 0)
            capture_add(&tui->capture, i, buf, (size_t)n);
}

static void replay(struct tui *tui)
{
    const char *bytes;
    unsigned stream;
    size_t len;

    while ((len = capture_peek(&tui->capture, &stream, &bytes))) {
        write_all(stream == PTY_STDOUT ? STDOUT_FILENO : STDERR_FILENO, bytes, len);
        tui->at_line_start = bytes[len - 1] == '\n';
        capture_consume(&tui->capture, len);
    }
}

void tui_free(struct tui *tui)
{
    if (!tui)
        return;
    watch_tty(tui, false);
    loop_remove(tui->options.loop, tui->tick);
    if (tui->state != STATE_IDLE)
        catch_job_signals(false);
    if (tui->state == STATE_SCREEN)
        terminal_screen_off();
    if (tui->have_ptys) {
        watch_output(tui, false);
        take_rest(tui);
    }
    terminal_drain(1000);
    if (tui->out_at < tui->out_len)
        write_all(tui->tty_fd, tui->out + tui->out_at, tui->out_len - tui->out_at);
    terminal_raw(false);
    replay(tui);
    if (!tui->at_line_start)
        write_all(tui->tty_fd, "\n", 1); /* to the terminal, not into the program's streams */
    /* Behind what was replayed: in front of it, megabytes would carry it away. */
    if (tui->capture.dropped_bytes)
        warn("the first %s of the program's output are not shown: more than %s came while the live screen was up "
             "(--no-tui shows all of it)",
             fmt_bytes((double)tui->capture.dropped_bytes).s, fmt_bytes(CAPTURE_BYTES).s);
    if (tui->have_ptys)
        ptys_close(&tui->ptys);
    terminal_close();
    capture_release(&tui->capture);
    model_release(&tui->model);
    canvas_release(&tui->canvas);
    free(tui);
}
