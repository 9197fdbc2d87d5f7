/* SPDX-License-Identifier: MIT */
#include "system/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void launch_prepare(struct launch_state *state)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct rlimit limit;

    sigprocmask(SIG_SETMASK, NULL, &state->mask);
    sigaction(SIGPIPE, &ignore, &state->pipe_action);
    sigaction(SIGXFSZ, &ignore, &state->xfsz_action);
    getrlimit(RLIMIT_NOFILE, &state->nofile);
    limit = state->nofile;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void launch_state_restore(const struct launch_state *state)
{
    setrlimit(RLIMIT_NOFILE, &state->nofile);
    sigaction(SIGPIPE, &state->pipe_action, NULL);
    sigaction(SIGXFSZ, &state->xfsz_action, NULL);
    sigprocmask(SIG_SETMASK, &state->mask, NULL);
}

/* Descriptors 0-2 may be closed in us; then our pipes must not land there, where the program expects nothing. */
static int move_above_stdio(int fd)
{
    int moved;

    if (fd < 0 || fd > 2)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return moved;
}

static int high_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    fds[0] = move_above_stdio(fds[0]);
    fds[1] = move_above_stdio(fds[1]);
    return fds[0] < 0 || fds[1] < 0 ? -EMFILE : 0;
}

/* Runs in the child. A script without #! is run by the shell, as execvp does. */
static void run_child(const struct launch_options *options, int gate_fd, int error_fd)
{
    char go;
    int error;

    if (read(gate_fd, &go, 1) != 1)
        _exit(125); /* abandoned, or rustscope died: the program never starts */
    for (int i = 0; i < 3; i++)
        if (options->stdio[i] >= 0)
            dup2(options->stdio[i], i);
    for (char *const *pair = options->env; pair && *pair; pair++)
        putenv(*pair);
    launch_state_restore(options->state);
    if (options->before_exec)
        options->before_exec(options->before_exec_ctx);
    execvp(options->argv[0], options->argv);
    error = errno;
    while (write(error_fd, &error, sizeof(error)) < 0 && errno == EINTR)
        ;
    _exit(127);
}

int launch_fork(struct launched *child, const struct launch_options *options, struct rs_err *err)
{
    int gate[2] = {-1, -1}, error[2] = {-1, -1};
    int rc;

    *child = (struct launched){.pid = -1, .gate_fd = -1, .error_fd = -1};
    rc = high_pipe(gate);
    if (!rc)
        rc = high_pipe(error);
    if (rc) {
        rs_err_set(err, rc, "cannot make a pipe: %s", strerror(-rc));
        goto out;
    }
    child->pid = options->fork ? options->fork(options->fork_ctx) : fork();
    if (child->pid < 0) {
        rc = rs_err_set(err, -errno, "cannot fork: %s", strerror(errno));
        goto out;
    }
    if (!child->pid) {
        close(gate[1]);
        run_child(options, gate[0], error[1]);
    }
    child->gate_fd = gate[1];
    child->error_fd = error[0];
    gate[1] = error[0] = -1;
out:
    for (int i = 0; i < 2; i++) {
        if (gate[i] >= 0)
            close(gate[i]);
        if (error[i] >= 0)
            close(error[i]);
    }
    return rc;
}

static const char *cannot_run(const char *program, int error, char *why, size_t size)
{
    struct stat st;

    if (error == ENOENT && strchr(program, '/') && !stat(program, &st))
        return "its interpreter (the #! line or the dynamic loader) does not exist";
    if (error == ENOENT)
        return strchr(program, '/') ? "no such file" : "not found in PATH";
    if (error == EACCES && !stat(program, &st) && S_ISDIR(st.st_mode))
        return "it is a directory";
    if (error == EACCES && !stat(program, &st) && !(st.st_mode & 0111))
        return "it is not executable (chmod +x makes it so)";
    return strerror_r(error, why, size);
}

int launch_go(struct launched *child, const char *program, struct rs_err *err)
{
    char why[128];
    int error = 0;
    ssize_t n;

    while (write(child->gate_fd, "g", 1) < 0 && errno == EINTR)
        ;
    close(child->gate_fd);
    child->gate_fd = -1;
    do
        n = read(child->error_fd, &error, sizeof(error));
    while (n < 0 && errno == EINTR);
    close(child->error_fd);
    child->error_fd = -1;
    if (n != sizeof(error))
        return 0;
    launch_abandon(child);
    return rs_err_set(err, -error, "cannot run %s: %s", program, cannot_run(program, error, why, sizeof(why)));
}

int launch_exit_status(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR ? 127 : 126;
}

void launch_abandon(struct launched *child)
{
    if (child->gate_fd >= 0)
        close(child->gate_fd);
    if (child->error_fd >= 0)
        close(child->error_fd);
    if (child->pid > 0)
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    *child = (struct launched){.pid = -1, .gate_fd = -1, .error_fd = -1};
}
