/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous work: an executor of two lines that polls tasks until they are ready, and a timer-like callback.
 */
#include <rustscope.h>
#include <stdio.h>

struct download {
    struct rustscope_task task; /* embedded: no allocation, moves with the work */
    unsigned chunks_left;
};

static int poll_download(struct download *d)
{
    int ready;

    rustscope_task_poll_enter(&d->task);
    RS_PROFILE_BLOCK("read chunk") {
        d->chunks_left--;
    }
    ready = !d->chunks_left;
    rustscope_task_poll_exit(&d->task, ready);
    return ready;
}

static struct rustscope_handle answer;

static void on_sent(void)
{
    RS_BEGIN(answer, "send to answer");
}

static void on_answer(void)
{
    RS_END(answer);
}

int main(void)
{
    struct download downloads[3] = {{.chunks_left = 3}, {.chunks_left = 5}, {.chunks_left = 100}};
    unsigned open = 3;

    for (int i = 0; i < 3; i++)
        RS_TASK_BEGIN(downloads[i].task, "download");
    on_sent();
    for (int round = 0; round < 10 && open; round++) {
        for (int i = 0; i < 3; i++) {
            if (!downloads[i].chunks_left)
                continue;
            rustscope_task_wake(&downloads[i].task);
            if (poll_download(&downloads[i])) {
                rustscope_task_end(&downloads[i].task, 0);
                open--;
            }
        }
    }
    on_answer();
    rustscope_task_end(&downloads[2].task, 1); /* given up */
    return rustscope_write_json("tasks.json") ? 1 : 0;
}
