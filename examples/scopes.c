/* SPDX-License-Identifier: MIT */
/*
 * Scopes in C: run it under `rustscope -- ./scopes`, or alone with RUSTSCOPE_OUT=scopes.json.
 */
#include <rustscope.h>
#include <stdio.h>
#include <string.h>

static unsigned checksum(const char *text)
{
    unsigned sum = 5381;

    RS_PROFILE_FUNC();
    for (; *text; text++)
        sum = sum * 33 + (unsigned char)*text;
    return sum;
}

static unsigned fibonacci(unsigned n)
{
    RS_PROFILE_FUNC();
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void print_function(const struct rustscope_function *f, void *ctx)
{
    (void)ctx;
    printf("%-12s %8llu calls, mean %8.0f ns, p99 %8.0f ns, depth %u\n", f->name, (unsigned long long)f->calls,
           f->mean_ns, f->p99_ns, f->max_depth);
}

static void too_slow(const char *name, uint64_t took_ns, uint64_t budget_ns, void *ctx)
{
    (void)ctx;
    fprintf(stderr, "%s took %llu ns of its %llu\n", name, (unsigned long long)took_ns, (unsigned long long)budget_ns);
}

int main(int argc, char **argv)
{
    struct rustscope_snapshot *snapshot;
    unsigned sum = 0;

    rustscope_set_session_name("scopes example");
    rustscope_add_tag("example");
    rustscope_set_label("language", "C");
    rustscope_set_budget("request", 50 * 1000 * 1000, too_slow, NULL);

    for (int i = 0; i < 1000; i++) {
        RS_PROFILE("request");

        RS_PROFILE_BLOCK("checksums") {
            sum += checksum("a text to sum");
            sum += checksum(argv[0]);
        }
        RS_PROFILE_IF(i % 100 == 0, "every hundredth");
        sum += RS_PROFILE_VALUE("length", (unsigned)strlen(argv[0]));
    }
    rustscope_mark("requests done");
    rustscope_counter("checksum", sum);
    sum += fibonacci(10);

    snapshot = rustscope_collect();
    rustscope_foreach_function(snapshot, print_function, NULL);
    rustscope_snapshot_free(snapshot);
    RS_ASSERT_PERF("request", RUSTSCOPE_P50_NS, 10e6);
    return argc > 1 ? (int)sum : 0;
}
