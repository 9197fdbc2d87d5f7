/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf.h"

#include <errno.h>

/* Only Linux has perf_event. */

unsigned perf_max_rate(void)
{
    return 10000;
}

int perf_probe(struct rs_err *err)
{
    return rs_err_set(err, -ENOSYS, "this system has no perf_event");
}

int perf_open(struct perf **out, struct session *session, const struct perf_options *options, pid_t pid, bool attach,
              struct rs_err *err)
{
    (void)session, (void)options, (void)pid, (void)attach;
    *out = NULL;
    return perf_probe(err);
}

void perf_free(struct perf *perf)
{
    (void)perf;
}

int perf_fd(const struct perf *perf)
{
    (void)perf;
    return -1;
}

void perf_drain(struct perf *perf, uint64_t now_ns)
{
    (void)perf, (void)now_ns;
}

void perf_settle(struct perf *perf, uint64_t now_ns)
{
    (void)perf, (void)now_ns;
}

void perf_start(struct perf *perf, uint64_t from_ns)
{
    (void)perf, (void)from_ns;
}

void perf_finish(struct perf *perf, uint64_t now_ns, uint64_t kernel_us)
{
    (void)perf, (void)now_ns, (void)kernel_us;
}
