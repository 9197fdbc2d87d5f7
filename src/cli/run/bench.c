/* SPDX-License-Identifier: MIT */
#include "run/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/bench_math.h"
#include "core/clock.h"

enum { SHELL_RUNS = 30, LAYOUT_BYTES = 4096, UNTIL_MOST_RUNS = 1000, SEED = 1 };

struct bench {
    const struct bench_options *options;
    struct bench_hooks hooks;
    struct timed *timed;
    struct bench_result *results;
    size_t *targets; /* runs that each arm needs; 0: not known */
    double *scratch;
    size_t scratch_cap;
    int null_fd, input_fd;
    int drain_fd; /* what is written here, DRAINER throws away */
    pid_t drainer;
    struct bench_run shell; /* means of starting it */
    uint64_t random;
    int status;
};

/* ---- set-up ---- */

/* A process that reads the pipe to its end: programs that look at their output see no /dev/null. */
static int start_drainer(struct bench *b, struct rs_err *err)
{
    char text[65536];
    int fds[2];

    if (pipe(fds))
        return rs_err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    b->drainer = fork();
    if (b->drainer < 0)
        return rs_err_set(err, -errno, "cannot fork: %s", strerror(errno));
    if (!b->drainer) {
        close(fds[1]);
        while (read(fds[0], text, sizeof(text)) > 0)
            ;
        _exit(0);
    }
    close(fds[0]);
    b->drain_fd = fds[1];
    return 0;
}

static int open_stdio(struct bench *b, struct rs_err *err)
{
    const struct bench_options *o = b->options;

    b->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (b->null_fd < 0)
        return rs_err_set(err, -errno, "cannot open /dev/null: %s", strerror(errno));
    if (o->input) {
        b->input_fd = open(o->input, O_RDONLY | O_CLOEXEC);
        if (b->input_fd < 0)
            return rs_err_set(err, -errno, "cannot read %s: %s", o->input, strerror(errno));
    }
    for (size_t i = 0; i < o->arm_count; i++)
        if (!strcmp(o->arms[i].output, "pipe") && b->drain_fd < 0) {
            int rc = start_drainer(b, err);

            if (rc)
                return rc;
        }
    return 0;
}

int bench_new(struct bench **out, const struct bench_options *options, const struct launch_state *state,
              const struct bench_hooks *hooks, struct rs_err *err)
{
    struct bench *b = xcalloc(1, sizeof(*b));
    int rc;

    *out = NULL;
    b->options = options;
    b->hooks = *hooks;
    b->null_fd = b->input_fd = b->drain_fd = -1;
    b->results = xcalloc(options->arm_count, sizeof(*b->results));
    b->targets = xcalloc(options->arm_count, sizeof(*b->targets));
    for (size_t i = 0; i < options->arm_count; i++)
        b->results[i] = (struct bench_result){.name = options->arms[i].name,
                                              .in_shell = options->arms[i].in_shell,
                                              .parameters = options->arms[i].parameters,
                                              .parameter_count = options->arms[i].parameter_count};
    rc = open_stdio(b, err);
    if (!rc)
        rc = timed_new(&b->timed, state, err);
    if (rc)
        bench_free(b);
    else
        *out = b;
    return rc;
}

void bench_free(struct bench *b)
{
    if (!b)
        return;
    timed_free(b->timed);
    if (b->drain_fd >= 0)
        close(b->drain_fd);
    if (b->drainer > 0)
        waitpid(b->drainer, NULL, 0);
    if (b->null_fd >= 0)
        close(b->null_fd);
    if (b->input_fd >= 0)
        close(b->input_fd);
    for (size_t i = 0; i < b->options->arm_count; i++)
        free(b->results[i].runs);
    free(b->results);
    free(b->targets);
    free(b->scratch);
    free(b);
}

const struct bench_result *bench_results(const struct bench *b)
{
    return b->results;
}

int bench_exit_status(const struct bench *b)
{
    return b->status;
}

double bench_shell_ns(const struct bench *b)
{
    return b->shell.wall_ns;
}

/* ---- one run ---- */

static void tell(struct bench *b, const struct bench_arm *arm, const char *beside)
{
    const struct bench_progress progress = {.arm = arm, .beside = beside};

    if (b->hooks.on_progress)
        b->hooks.on_progress(b->hooks.ctx, &progress);
}

/* Where the arm's output goes. A file is written anew by each run; the caller closes what is not shared. */
static int output_fd(struct bench *b, const struct bench_arm *arm, struct rs_err *err)
{
    int fd;

    if (!strcmp(arm->output, "null"))
        return b->null_fd;
    if (!strcmp(arm->output, "pipe"))
        return b->drain_fd;
    if (!strcmp(arm->output, "inherit"))
        return -1;
    fd = open(arm->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd >= 0 ? fd : rs_err_set(err, -errno - 1, "cannot write %s: %s", arm->output, strerror(errno));
}

/* Runs ARGV with the arm's descriptors and an environment that names ITERATION and moves the stack. */
static int run_once(struct bench *b, const struct bench_arm *arm, char *const *argv, const char *iteration,
                    struct bench_run *run, struct rs_err *err)
{
    static char layout[LAYOUT_BYTES + 32], round[64];
    char *const env[] = {layout, round, NULL};
    int out = output_fd(b, arm, err), rc;
    bool shared = out < 0 || out == b->null_fd || out == b->drain_fd, inherited = !strcmp(arm->output, "inherit");
    const struct timed_command command = {
        .argv = argv,
        .env = env,
        .stdio = {b->input_fd >= 0 ? b->input_fd : b->null_fd, out, inherited ? -1 : b->null_fd},
        .timeout_sec = b->options->timeout_sec,
    };

    if (out < -1)
        return out + 1;
    snprintf(layout, sizeof(layout), "RUSTSCOPE_LAYOUT=%*s", (int)rs_random_below(&b->random, LAYOUT_BYTES), "");
    snprintf(round, sizeof(round), "HYPERFINE_ITERATION=%s", iteration);
    if (b->input_fd >= 0)
        lseek(b->input_fd, 0, SEEK_SET);
    rc = timed_run(b->timed, &command, run, err);
    if (!shared)
        close(out);
    if (rc)
        b->status = timed_signal(b->timed) ? 128 + timed_signal(b->timed) : launch_exit_status(rc);
    return rc;
}

static void how_it_ended(const struct bench_run *run, double timeout_sec, char *text, size_t size)
{
    if (run->timed_out)
        snprintf(text, size, "did not end within %g s and was killed", timeout_sec);
    else if (WIFSIGNALED(run->status))
        snprintf(text, size, "was ended by signal %d (%s)", WTERMSIG(run->status), strsignal(WTERMSIG(run->status)));
    else
        snprintf(text, size, "exited with %d", WEXITSTATUS(run->status));
}

/* The commands beside the runs: a failure of one spoils what is measured. */
static int run_beside(struct bench *b, const struct bench_arm *arm, const char *what, char *const *argv,
                      const char *iteration, struct rs_err *err)
{
    struct bench_run run;
    char how[120];
    int rc;

    if (!argv)
        return 0;
    tell(b, arm, what);
    rc = run_once(b, arm, argv, iteration, &run, err);
    if (rc || (!run.timed_out && run.status == 0))
        return rc;
    b->status = 1;
    how_it_ended(&run, b->options->timeout_sec, how, sizeof(how));
    return rs_err_set(err, -ECANCELED, "the --%s command of %.200s %s", what, arm->name, how);
}

int bench_beside(struct bench *b, size_t arm, bool after, struct rs_err *err)
{
    const struct bench_arm *a = &b->options->arms[arm];

    return run_beside(b, a, after ? "conclude" : "prepare", after ? a->conclude : a->prepare, "recorded", err);
}

static int check_status(struct bench *b, const struct bench_arm *arm, const struct bench_run *run, struct rs_err *err)
{
    const struct bench_options *o = b->options;
    int status = bench_shell_status(run->status);
    char how[120];

    if (!run->timed_out && (!status || (o->ignore_failure && o->ignored[status & 255])))
        return 0;
    b->status = 1;
    how_it_ended(run, o->timeout_sec, how, sizeof(how));
    return rs_err_set(err, -ECANCELED, "%.200s %s%s", arm->name, how,
                      run->timed_out ? "" : " (-i goes on all the same; --show-output shows what it says)");
}

static int run_arm(struct bench *b, size_t index, const char *iteration, struct bench_run *run, struct rs_err *err)
{
    const struct bench_arm *arm = &b->options->arms[index];
    int rc = run_beside(b, arm, "prepare", arm->prepare, iteration, err);

    if (!rc)
        rc = run_once(b, arm, arm->argv, iteration, run, err);
    if (!rc)
        rc = check_status(b, arm, run, err);
    return rc ? rc : run_beside(b, arm, "conclude", arm->conclude, iteration, err);
}

/* ---- the shell's own time ---- */

static double less(double value, double part)
{
    return value > part ? value - part : 0;
}

/* Times an empty command: what is taken off the others. */
static int measure_shell(struct bench *b, struct rs_err *err)
{
    const struct bench_arm arm = {.name = (char *)(uintptr_t) "the shell", .output = "null"};
    size_t words = 0;
    char **argv;
    int rc = 0;

    while (b->options->shell[words])
        words++;
    argv = xcalloc(words + 3, sizeof(*argv));
    memcpy(argv, b->options->shell, words * sizeof(*argv));
    argv[words] = (char *)(uintptr_t) "-c";
    argv[words + 1] = (char *)(uintptr_t) "";
    tell(b, &arm, "shell");
    for (int i = -3; i < SHELL_RUNS && !rc; i++) {
        struct bench_run run;

        rc = run_once(b, &arm, argv, "shell", &run, err);
        if (!rc && run.status) {
            b->status = 1;
            rc = rs_err_set(err, -ECANCELED,
                            "the shell %s does not run an empty command: is it one? (-S none runs commands "
                            "without a shell)",
                            b->options->shell[0]);
        }
        if (i < 0)
            continue; /* the first ones find cold caches */
        b->shell.wall_ns += run.wall_ns / SHELL_RUNS;
        b->shell.user_ns += run.user_ns / SHELL_RUNS;
        b->shell.system_ns += run.system_ns / SHELL_RUNS;
    }
    free(argv);
    return rc;
}

/* ---- the series ---- */

/* COUNT wall times into the first third of the scratch, which has room for rs_bench_summarize(). */
static double *wall_times(struct bench *b, const struct bench_result *r)
{
    size_t needed = r->count + RS_BENCH_SCRATCH(r->count);

    GROW(b->scratch, needed, b->scratch_cap);
    for (size_t i = 0; i < r->count; i++)
        b->scratch[i] = r->runs[i].wall_ns;
    return b->scratch;
}

static void summarize(struct bench *b, struct bench_result *r)
{
    const struct rs_bench_samples samples = {.ns = wall_times(b, r), .count = r->count};

    rs_bench_summarize(&samples, SEED, b->scratch + r->count, &r->wall);
    r->user_ns = r->system_ns = 0;
    for (size_t i = 0; i < r->count; i++) {
        r->user_ns += r->runs[i].user_ns / (double)r->count;
        r->system_ns += r->runs[i].system_ns / (double)r->count;
    }
}

/* Mean and Student's interval: the estimate while it runs. */
static void estimate(const struct bench_result *r, struct bench_progress *p)
{
    double sum = 0, squares = 0, mean, half;

    for (size_t i = 0; i < r->count; i++)
        sum += r->runs[i].wall_ns;
    if (!r->count)
        return;
    mean = p->mean_ns = sum / (double)r->count;
    if (r->count < 3)
        return;
    for (size_t i = 0; i < r->count; i++)
        squares += (r->runs[i].wall_ns - mean) * (r->runs[i].wall_ns - mean);
    half = rs_student_975((double)r->count - 1) * sqrt(squares / (double)(r->count - 1) / (double)r->count);
    p->low_ns = mean - half;
    p->high_ns = mean + half;
}

static size_t most_runs(const struct bench_options *o)
{
    return o->max_runs ? o->max_runs : o->until_pct > 0 ? UNTIL_MOST_RUNS : BENCH_MOST_RUNS;
}

/* How many runs an arm needs, from what the first one took with all that goes with it. */
static size_t first_target(const struct bench_options *o, double round_ns)
{
    double wanted = round_ns > 0 ? ceil(o->min_seconds * 1e9 / round_ns) : 1;
    size_t target = o->min_runs;

    if (o->max_runs == o->min_runs)
        return target;
    if (wanted > (double)target)
        target = wanted < BENCH_MOST_RUNS ? (size_t)wanted : BENCH_MOST_RUNS;
    return target < most_runs(o) ? target : most_runs(o);
}

/* With --until, more runs until the interval is narrow enough. */
static void extend(struct bench *b, size_t arm)
{
    const struct bench_options *o = b->options;
    struct bench_progress p = {.arm = NULL};

    if (o->until_pct <= 0 || b->results[arm].count < b->targets[arm] || b->targets[arm] >= most_runs(o))
        return;
    estimate(&b->results[arm], &p);
    if ((p.high_ns - p.low_ns) / 2 <= p.mean_ns * o->until_pct / 100 && p.high_ns > 0)
        return;
    b->targets[arm] += b->targets[arm] / 4 > 5 ? b->targets[arm] / 4 : 5;
    if (b->targets[arm] > most_runs(o))
        b->targets[arm] = most_runs(o);
}

/* The arms of a gate are pairs: both run as often as the one that needs more. */
static void even_out(struct bench *b)
{
    size_t most = 0;

    for (size_t i = 0; i < b->options->arm_count; i++)
        most = b->targets[i] > most ? b->targets[i] : most;
    for (size_t i = 0; b->options->gate && i < b->options->arm_count; i++)
        b->targets[i] = most;
}

static int timed_round(struct bench *b, size_t index, struct rs_err *err)
{
    const struct bench_arm *arm = &b->options->arms[index];
    struct bench_result *r = &b->results[index];
    struct bench_progress progress = {.arm = arm, .run = r->count + 1, .of = b->targets[index]};
    uint64_t began_ns = rs_clock_mono_ns();
    struct bench_run run;
    char iteration[32];
    int rc;

    estimate(r, &progress);
    if (b->hooks.on_progress)
        b->hooks.on_progress(b->hooks.ctx, &progress);
    snprintf(iteration, sizeof(iteration), "%zu", r->count);
    rc = run_arm(b, index, iteration, &run, err);
    if (rc)
        return rc;
    if (arm->in_shell) {
        run.wall_ns = less(run.wall_ns, b->shell.wall_ns);
        run.user_ns = less(run.user_ns, b->shell.user_ns);
        run.system_ns = less(run.system_ns, b->shell.system_ns);
    }
    GROW(r->runs, r->count + 1, r->cap);
    r->runs[r->count++] = run;
    r->failed += run.status != 0;
    if (!b->targets[index])
        b->targets[index] = first_target(b->options, (double)(rs_clock_mono_ns() - began_ns));
    extend(b, index);
    return 0;
}

static int warm_up(struct bench *b, size_t index, struct rs_err *err)
{
    int rc = 0;

    for (unsigned i = 0; i < b->options->warmup && !rc; i++) {
        const struct bench_progress progress = {
            .arm = &b->options->arms[index], .run = i + 1, .of = b->options->warmup, .warmup = true};
        struct bench_run run;
        char iteration[32];

        if (b->hooks.on_progress)
            b->hooks.on_progress(b->hooks.ctx, &progress);
        snprintf(iteration, sizeof(iteration), "warmup-%u", i);
        rc = run_arm(b, index, iteration, &run, err);
    }
    return rc;
}

/* Rounds of the arms FIRST to LAST, each in an order of its own, until every arm has its runs. */
static int rounds(struct bench *b, size_t first, size_t last, struct rs_err *err)
{
    size_t *order = xcalloc(last - first, sizeof(*order)), count;
    int rc = 0;

    do {
        count = 0;
        for (size_t i = first; i < last; i++)
            if (!b->targets[i] || b->results[i].count < b->targets[i])
                order[count++] = i;
        for (size_t i = count; i > 1; i--) {
            size_t other = rs_random_below(&b->random, (uint32_t)i), held = order[i - 1];

            order[i - 1] = order[other];
            order[other] = held;
        }
        for (size_t i = 0; i < count && !rc; i++)
            rc = timed_round(b, order[i], err);
        even_out(b);
    } while (count && !rc);
    free(order);
    return rc;
}

static int series(struct bench *b, size_t first, size_t last, struct rs_err *err)
{
    const struct bench_arm *arms = b->options->arms;
    int rc = 0, cleaned = 0;

    for (size_t i = first; i < last && !rc; i++)
        rc = run_beside(b, &arms[i], "setup", arms[i].setup, "setup", err);
    for (size_t i = first; i < last && !rc; i++)
        rc = warm_up(b, i, err);
    if (!rc)
        rc = rounds(b, first, last, err);
    /* After a failure too, unless that was the sentence to tell. */
    for (size_t i = first; i < last && !cleaned; i++)
        cleaned = run_beside(b, &arms[i], "cleanup", arms[i].cleanup, "cleanup", rc ? NULL : err);
    return rc ? rc : cleaned;
}

int bench_run(struct bench *b, struct rs_err *err)
{
    const struct bench_options *o = b->options;
    bool in_shell = false;
    int rc = 0;

    b->random = SEED;
    b->status = 0;
    b->shell = (struct bench_run){0};
    for (size_t i = 0; i < o->arm_count; i++) {
        b->results[i].count = b->results[i].failed = 0;
        b->targets[i] = 0;
        in_shell |= o->arms[i].in_shell;
    }
    if (in_shell)
        rc = measure_shell(b, err);
    if (!o->sequential && !rc)
        rc = series(b, 0, o->arm_count, err);
    for (size_t i = 0; o->sequential && i < o->arm_count && !rc; i++)
        rc = series(b, i, i + 1, err);
    for (size_t i = 0; i < o->arm_count; i++)
        summarize(b, &b->results[i]);
    return rc;
}
