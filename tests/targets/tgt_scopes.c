/* SPDX-License-Identifier: MIT */
/*
 * Scopes with a known truth: "request" runs 40 times for 10 ms, the 30th for 60 ms (budget: 40 ms); inside it "allocate"
 * takes 100,000 bytes each time; a task is polled three times and another one dropped; a forked child runs "child's" 5
 * times. `tgt_scopes exit-without-destructors` ends by _exit 1.5 s later, with a few scopes in between.
 */
#include <rustscope.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void spin_ms(unsigned ms)
{
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000000000ll + (now.tv_nsec - start.tv_nsec) < ms * 1000000ll);
}

__attribute__((noinline)) void hot_function(unsigned ms)
{
    RS_PROFILE_FUNC();
    spin_ms(ms);
}

static __attribute__((noinline)) void allocate(void)
{
    RS_PROFILE("allocate");
    char *volatile block = malloc(100000);

    block[0] = 1;
    free(block);
}

static void requests(void)
{
    for (int i = 1; i <= 40; i++) {
        RS_PROFILE("request");
        hot_function(i == 30 ? 60 : 10);
        allocate();
        rustscope_counter("requests", i);
    }
}

static void tasks(void)
{
    struct rustscope_task task, dropped;

    RS_TASK_BEGIN(task, "download");
    RS_TASK_BEGIN(dropped, "download");
    for (int i = 0; i < 3; i++) {
        rustscope_task_poll_enter(&task);
        RS_PROFILE_BLOCK("inside the poll") {
            spin_ms(2);
        }
        rustscope_task_poll_exit(&task, i == 2);
        spin_ms(3);
        rustscope_task_wake(&task);
        spin_ms(1);
    }
    rustscope_task_end(&task, 0);
    rustscope_task_end(&dropped, 1);
}

static void child(void)
{
    for (int i = 0; i < 5; i++) {
        RS_PROFILE("child's");
        spin_ms(1);
    }
}

int main(int argc, char **argv)
{
    rustscope_set_session_name("known truth");
    rustscope_add_tag("test");
    rustscope_add_tag("test");
    rustscope_set_label("kind", "scopes");
    rustscope_set_budget("request", 40000000, NULL, NULL);
    rustscope_mark("begin");
    requests();
    rustscope_mark("requests done");
    tasks();
    if (!fork()) {
        child();
        exit(0);
    }
    wait(NULL);
    if (argc > 1 && !strcmp(argv[1], "exit-without-destructors")) {
        for (int i = 0; i < 15; i++) {
            RS_PROFILE("before _exit");
            spin_ms(100);
        }
        _exit(7);
    }
    return 0;
}
