/* SPDX-License-Identifier: MIT */
#include "tui/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tui/terminal.h"

static int open_pty(struct pty *pty, const struct termios *settings, const struct winsize *size)
{
    struct termios own = *settings;
    int unlock = 0;

    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->master < 0 || ioctl(pty->master, TIOCSPTLCK, &unlock) < 0)
        return -errno;
    /* By descriptor, not by name: /dev/pts of another mount namespace would be someone else's. */
    pty->slave = ioctl(pty->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->slave < 0)
        return -errno;
    own.c_oflag &= ~(tcflag_t)OPOST;
    if (tcsetattr(pty->slave, TCSANOW, &own) < 0)
        return -errno;
    ioctl(pty->master, TIOCSWINSZ, size);
    tcgetattr(pty->slave, &pty->seen);
    return 0;
}

int ptys_open(struct ptys *ptys, int tty_fd, struct rs_err *err)
{
    struct winsize size = {0};
    struct termios settings;
    int rc = 0;

    *ptys = (struct ptys){.pty = {{.master = -1, .slave = -1}, {.master = -1, .slave = -1}},
                          .keeper = -1,
                          .group = -1,
                          .alive_fd = -1,
                          .newline_to_crlf = true};
    if (tcgetattr(tty_fd, &settings) < 0)
        return rs_err_set(err, -errno, "cannot read the terminal's settings: %s", strerror(errno));
    /* Started from within a raw terminal the program still gets lines: it sets what it wants itself. */
    ioctl(tty_fd, TIOCGWINSZ, &size);
    rc = open_pty(&ptys->pty[PTY_MAIN], &settings, &size);
    if (!rc && isatty(STDOUT_FILENO))
        rc = open_pty(&ptys->pty[PTY_STDOUT], &settings, &size);
    if (rc) {
        ptys_close(ptys);
        return rs_err_set(err, rc, "cannot make a pty: %s", strerror(-rc));
    }
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void ptys_close_slaves(struct ptys *ptys)
{
    for (int i = 0; i < PTY_COUNT; i++)
        close_fd(&ptys->pty[i].slave);
}

void ptys_close(struct ptys *ptys)
{
    ptys_close_slaves(ptys);
    for (int i = 0; i < PTY_COUNT; i++)
        close_fd(&ptys->pty[i].master);
    if (ptys->keeper > 0) {
        terminal_say_goodbye(ptys->alive_fd);
        close_fd(&ptys->alive_fd);
        /* It waits for the program, which may outlive us (--keep); init reaps it then. */
        waitpid(ptys->keeper, NULL, WNOHANG);
    }
    close_fd(&ptys->alive_fd);
}

static void ignore_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++)
        if (signo != SIGCHLD)
            sigaction(signo, &ignore, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Closes all descriptors but the KEPT ones, which may be -1. */
static void close_all_but(const int *kept, size_t count)
{
    int low = 0;

    for (;;) {
        int next = -1;

        for (size_t i = 0; i < count; i++)
            if (kept[i] >= low && (next < 0 || kept[i] < next))
                next = kept[i];
        if (next < 0)
            break;
        if (next > low)
            close_range((unsigned)low, (unsigned)next - 1, 0);
        low = next + 1;
    }
    close_range((unsigned)low, ~0u, 0);
}

/* The anchor: a group is orphaned unless a member's parent is in its session but not in the group. */
static pid_t fork_anchor(pid_t group)
{
    pid_t parent = getpid(), pid = fork();

    if (pid)
        return pid;
    ignore_signals();
    /* The program makes its group itself, soon: nobody else may, being neither it nor its parent. */
    while (setpgid(0, group) < 0 && kill(group, 0) == 0)
        poll(NULL, 0, 1);
    prctl(PR_SET_NAME, "rustscope-jobs");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(0, ~0u, 0);
    while (getppid() == parent)
        pause();
    _exit(0);
}

static void pass_on(const struct pollfd *from, int to_fd)
{
    char buf[4096];
    ssize_t len = read(from->fd, buf, sizeof(buf));

    for (ssize_t done = 0, n; len > 0 && done < len; done += n) {
        n = write(to_fd, buf + done, (size_t)(len - done));
        if (n <= 0)
            break;
    }
}

/*
 * Until the program has ended and nobody holds its terminals any more. With rustscope alive there is nothing to do; when
 * it has gone (killed, or --keep), what the program and its children still write goes to the real terminal.
 */
static void keep(const struct ptys *ptys, int alive_fd, int pidfd, int tty_fd)
{
    struct pollfd fds[2 + PTY_COUNT] = {{.fd = pidfd, .events = POLLIN}, {.fd = alive_fd, .events = POLLIN}};
    bool program_lives = true, alone = false;

    for (;;) {
        bool held = false;

        for (int i = 0; i < PTY_COUNT; i++)
            fds[2 + i] = (struct pollfd){.fd = alone ? ptys->pty[i].master : -1, .events = POLLIN};
        if (poll(fds, 2 + PTY_COUNT, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < PTY_COUNT; i++) {
            if (fds[2 + i].revents & POLLIN)
                pass_on(&fds[2 + i], tty_fd);
            held |= fds[2 + i].fd >= 0 && (fds[2 + i].revents & (POLLHUP | POLLIN)) != POLLHUP;
        }
        if (fds[1].revents) {
            if (!terminal_heard_goodbye(alive_fd))
                terminal_restore_now();
            alone = true;
            fds[1].fd = -1;
            continue;
        }
        if (fds[0].revents) {
            program_lives = false;
            fds[0].fd = -1;
        }
        if (alone && !program_lives && !held)
            return;
        if (alone && program_lives && !held)
            poll(NULL, 0, 100); /* it has closed its terminals but not ended: do not spin on the hangup */
    }
}

/* A session's last act is SIGHUP for the group in front: let that be our own, not a background job of the program's. */
static void leave_session(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0)
        tcsetpgrp(fd, getpgrp());
}

static void __attribute__((noreturn)) run_keeper(struct ptys *ptys, pid_t program, int alive_fd, int report_fd,
                                                 int tty_fd)
{
    int pidfd = (int)syscall(SYS_pidfd_open, program, 0);
    const int kept[] = {alive_fd, pidfd, tty_fd, ptys->pty[PTY_MAIN].master, ptys->pty[PTY_STDOUT].master};
    pid_t anchor = fork_anchor(program);

    ignore_signals();
    prctl(PR_SET_NAME, "rustscope-tty");
    while (write(report_fd, &program, sizeof(program)) < 0 && errno == EINTR)
        ;
    close_all_but(kept, sizeof(kept) / sizeof(*kept));
    if (pidfd >= 0)
        keep(ptys, alive_fd, pidfd, tty_fd);
    leave_session();
    if (anchor > 0)
        kill(anchor, SIGKILL);
    _exit(0);
}

/* The program's side, before exec. */
static void enter_foreground(const struct ptys *ptys)
{
    sigset_t ttou, old;

    setpgid(0, 0);
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &old);
    tcsetpgrp(ptys->pty[PTY_MAIN].slave, getpid());
    sigprocmask(SIG_SETMASK, &old, NULL);
}

pid_t ptys_fork(struct ptys *ptys, int tty_fd)
{
    int alive[2], report[2];
    pid_t program = -1;

    if (pipe2(alive, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(report, O_CLOEXEC) < 0) {
        close(alive[0]);
        close(alive[1]);
        return -EMFILE;
    }
    ptys->keeper = fork();
    if (ptys->keeper == 0) {
        setsid();
        ioctl(ptys->pty[PTY_MAIN].slave, TIOCSCTTY, 0);
        program = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
        if (program == 0) {
            enter_foreground(ptys);
            return 0;
        }
        if (program < 0)
            _exit(1);
        close(alive[1]);
        run_keeper(ptys, program, alive[0], report[1], tty_fd);
    }
    close(alive[0]);
    close(report[1]);
    ptys->alive_fd = alive[1];
    if (ptys->keeper > 0)
        while (read(report[0], &program, sizeof(program)) < 0 && errno == EINTR)
            ;
    close(report[0]);
    ptys->group = program;
    return program > 0 ? program : -EAGAIN;
}

void ptys_resize(struct ptys *ptys, int rows, int cols)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

    /* The program's own terminal last: its change sends SIGWINCH, and by then all must have the new size. */
    for (int i = PTY_COUNT - 1; i >= PTY_MAIN; i--)
        if (ptys->pty[i].master >= 0)
            ioctl(ptys->pty[i].master, TIOCSWINSZ, &size);
}

static bool same_settings(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
           !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

/*
 * The ptys never post-process, so OPOST says nothing about what the program wants; one that made them raw (cfmakeraw)
 * can be told by the rest of the settings.
 */
static bool wants_crlf(const struct termios *settings)
{
    bool raw = !(settings->c_lflag & (ICANON | ISIG | IEXTEN)) && !(settings->c_iflag & ICRNL);

    return (settings->c_oflag & ONLCR) && !raw;
}

static void carry_over(struct ptys *ptys, int from)
{
    const struct termios *source = &ptys->pty[from].seen;

    ptys->newline_to_crlf = wants_crlf(source);
    for (int i = 0; i < PTY_COUNT; i++) {
        struct termios settings;

        if (ptys->pty[i].master < 0)
            continue;
        settings = ptys->pty[i].seen;
        settings.c_iflag = source->c_iflag;
        settings.c_lflag = source->c_lflag;
        memcpy(settings.c_cc, source->c_cc, sizeof(settings.c_cc));
        settings.c_oflag &= ~(tcflag_t)OPOST;
        if (!same_settings(&settings, &ptys->pty[i].seen))
            tcsetattr(ptys->pty[i].master, TCSANOW, &settings);
        tcgetattr(ptys->pty[i].master, &ptys->pty[i].seen);
    }
}

enum ptys_mode ptys_sync(struct ptys *ptys)
{
    const struct termios *input = &ptys->pty[PTY_MAIN].seen;
    pid_t front;

    for (int i = 0; i < PTY_COUNT; i++) {
        struct termios settings;

        if (ptys->pty[i].master < 0 || tcgetattr(ptys->pty[i].master, &settings) < 0)
            continue;
        if (!same_settings(&settings, &ptys->pty[i].seen)) {
            ptys->pty[i].seen = settings;
            carry_over(ptys, i);
        }
    }
    front = tcgetpgrp(ptys->pty[PTY_MAIN].master);
    if (!(input->c_lflag & ICANON) || (front > 0 && ptys->group > 0 && front != ptys->group))
        return PTYS_WHOLE;
    return input->c_lflag & ECHO ? PTYS_LINES : PTYS_SECRET;
}

bool ptys_makes_signals(const struct ptys *ptys)
{
    return (ptys->pty[PTY_MAIN].seen.c_lflag & ISIG) != 0;
}
