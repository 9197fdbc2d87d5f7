/* SPDX-License-Identifier: MIT */
/* Scopes in many threads; also built with ThreadSanitizer. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib_test.h"

#ifdef __SANITIZE_THREAD__
enum { SHORT_THREADS = 1000, CALLS = 20000 };
#else
enum { SHORT_THREADS = 10000, CALLS = 200000 };
#endif
enum { THREADS = 4 };

static __attribute__((noinline)) void shared_leaf(void)
{
    RS_PROFILE_FUNC();
}

static void run_threads(void *(*fn)(void *), void *arg)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, arg), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *many_calls(void *arg)
{
    (void)arg;
    for (int i = 0; i < CALLS; i++) {
        RS_PROFILE("thread loop");
        shared_leaf();
    }
    return NULL;
}

START_TEST(threads_add_up)
{
    struct rustscope_function loop, leaf;

    rustscope_reset();
    run_threads(many_calls, NULL);
    loop = figures_of("thread loop");
    leaf = figures_of("shared_leaf");
    ck_assert_uint_eq(loop.calls, THREADS * CALLS);
    ck_assert_uint_eq(leaf.calls, THREADS * CALLS);
    ck_assert_double_le(loop.self_ns + leaf.total_ns, loop.total_ns * 1.0001);
    ck_assert_uint_eq(paths_of("shared_leaf", 1).calls, THREADS * CALLS);
}
END_TEST

static pthread_barrier_t gate;
static struct rustscope_site first_sites[50];

static void *first_use(void *arg)
{
    struct rustscope_frame frames[50];

    pthread_barrier_wait(&gate);
    for (int i = 0; i < 50; i++)
        rustscope_enter(&frames[i], &first_sites[i]);
    for (int i = 50; i-- > 0;)
        rustscope_leave(&frames[i]);
    return arg;
}

START_TEST(many_threads_may_be_the_first_at_once)
{
    rustscope_reset();
    for (uint32_t i = 0; i < 50; i++)
        first_sites[i] = (struct rustscope_site){.name = "first", .line = i};
    pthread_barrier_init(&gate, NULL, THREADS);
    run_threads(first_use, NULL);
    pthread_barrier_destroy(&gate);
    ck_assert_uint_eq(figures_of("first").calls, THREADS * 50);
    ck_assert_uint_eq(paths_of("first", 49).calls, THREADS);
}
END_TEST

static void *short_life(void *arg)
{
    RS_PROFILE("short life");
    shared_leaf();
    return arg;
}

START_TEST(ten_thousand_short_threads_need_few_states)
{
    struct rustscope_info info = {.size = sizeof(info)};
    uint64_t before;

    rustscope_reset();
    rustscope_get_info(&info);
    before = info.threads;
    for (int i = 0; i < SHORT_THREADS; i++) {
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, short_life, NULL), 0);
        pthread_join(thread, NULL);
    }
    rustscope_get_info(&info);
    ck_assert_uint_eq(figures_of("short life").calls, SHORT_THREADS);
    ck_assert_uint_eq(figures_of("short life").timed_calls, SHORT_THREADS);
    ck_assert_uint_le(info.threads, before + 2);
}
END_TEST

static int stop;

static void *until_stopped(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        RS_PROFILE("busy");
        shared_leaf();
    }
    return NULL;
}

static void check_consistent(const struct rustscope_function *f, void *ctx)
{
    (void)ctx;
    ck_assert_double_le(f->self_ns, f->total_ns);
    ck_assert_double_le(f->min_ns, f->p50_ns);
    ck_assert_double_le(f->p50_ns, f->p95_ns);
    ck_assert_double_le(f->p95_ns, f->p99_ns);
    ck_assert_double_le(f->p99_ns, f->max_ns);
    ck_assert_double_le(f->mean_ns, f->max_ns);
    ck_assert_double_ge(f->mean_ns, f->min_ns);
}

START_TEST(everything_works_while_threads_run)
{
    pthread_t threads[THREADS];
    char path[] = "/tmp/rs-threads-XXXXXX";
    int fd = mkstemp(path);

    close(fd);
    rustscope_reset();
    __atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, until_stopped, NULL);
    for (int i = 0; i < 40; i++) {
        struct rustscope_snapshot *s = rustscope_collect();

        rustscope_foreach_function(s, check_consistent, NULL);
        rustscope_snapshot_free(s);
        if (i % 10 == 3)
            rustscope_reset();
        if (i % 10 == 5)
            ck_assert_int_eq(rustscope_write_json(path), 0);
        if (i % 10 == 7)
            rustscope_set_budget("busy", 1000000000, NULL, NULL);
        if (i == 20)
            rustscope_timeline_enable(1000);
        if (i == 25)
            rustscope_timeline_write(path, RUSTSCOPE_TIMELINE_CHROME, NULL);
        if (i == 26)
            rustscope_timeline_enable(0);
        if (i == 30)
            rustscope_pause();
        if (i == 31)
            rustscope_resume();
        usleep(2000);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    unlink(path);
    ck_assert_uint_gt(figures_of("busy").calls, 0);
}
END_TEST

/* Not unwound in C, so AddressSanitizer would find the redzones of these frames in the way of its own thread's end. */
#define LEFT_WITHOUT_RETURN __attribute__((no_sanitize_address, noinline))

static LEFT_WITHOUT_RETURN void *exits_inside(void *arg)
{
    RS_PROFILE("left by pthread_exit");
    pthread_exit(arg);
    return NULL;
}

static LEFT_WITHOUT_RETURN void *cancelled_inside(void *arg)
{
    (void)arg;
    RS_PROFILE("left by cancel");
    for (;;)
        pause();
    return NULL;
}

START_TEST(exit_and_cancel_inside_a_scope_leave_the_next_thread_clean)
{
    pthread_t thread;

    rustscope_reset();
    for (int i = 0; i < 20; i++) {
        pthread_create(&thread, NULL, exits_inside, NULL);
        pthread_join(thread, NULL);
        pthread_create(&thread, NULL, cancelled_inside, NULL);
        usleep(1000);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
        pthread_create(&thread, NULL, short_life, NULL);
        pthread_join(thread, NULL);
    }
    /* Without -fexceptions C unwinds nothing: they may be uncounted, but nobody runs inside them. */
    ck_assert_uint_le(figures_of("left by pthread_exit").calls, 20);
    ck_assert_uint_eq(paths_of("short life", 0).calls, 20);
}
END_TEST

static pthread_key_t late;

static void late_destructor(void *round)
{
    shared_leaf();
    /* Comes back for more, until the system has enough of it. */
    if ((uintptr_t)round < 10)
        pthread_setspecific(late, (void *)((uintptr_t)round + 1));
}

static void *with_late_destructor(void *arg)
{
    pthread_setspecific(late, (void *)1);
    shared_leaf();
    return arg;
}

START_TEST(scopes_in_late_destructors_count_and_do_not_pile_up)
{
    struct rustscope_info info = {.size = sizeof(info)};
    uint64_t calls;

    rustscope_reset();
    ck_assert_int_eq(pthread_key_create(&late, late_destructor), 0);
    for (int i = 0; i < 300; i++) {
        pthread_t thread;

        pthread_create(&thread, NULL, with_late_destructor, NULL);
        pthread_join(thread, NULL);
    }
    calls = figures_of("shared_leaf").calls;
    rustscope_get_info(&info);
    pthread_key_delete(late);
    ck_assert_uint_ge(calls, 300 * 4);
    ck_assert_uint_eq(calls % 300, 0);
    ck_assert_uint_le(info.threads, 140);
}
END_TEST

static void *end_handle(void *handle)
{
    rustscope_handle_end(handle);
    return NULL;
}

START_TEST(handles_cross_threads)
{
    struct rustscope_handle handle;
    pthread_t thread;

    rustscope_reset();
    RS_BEGIN(handle, "from thread to thread");
    pthread_create(&thread, NULL, end_handle, &handle);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(figures_of("from thread to thread").calls, 1);
}
END_TEST

#if !defined(__SANITIZE_THREAD__) /* fork with threads is its own world there */
START_TEST(fork_while_threads_run_leaves_a_working_child)
{
    pthread_t threads[THREADS];
    int status;

    rustscope_reset();
    __atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, until_stopped, NULL);
    for (int i = 0; i < 30; i++) {
        pid_t pid = fork();

        if (!pid) {
            alarm(10);
            for (int k = 0; k < 100; k++)
                short_life(NULL);
            _exit(figures_of("short life").calls == 100 && !figures_of("busy").calls ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_gt(figures_of("busy").calls, 0);
}
END_TEST
#define FORK_TEST , fork_while_threads_run_leaves_a_working_child
#else
#define FORK_TEST
#endif

SUITE("lib threads", threads_add_up, many_threads_may_be_the_first_at_once,
      ten_thousand_short_threads_need_few_states, everything_works_while_threads_run,
      exit_and_cancel_inside_a_scope_leave_the_next_thread_clean, scopes_in_late_destructors_count_and_do_not_pile_up,
      handles_cross_threads FORK_TEST)
