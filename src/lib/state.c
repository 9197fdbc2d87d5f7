/* SPDX-License-Identifier: MIT */
#include "lib/state.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/context.h"
#include "lib/link.h"
#include "lib/lock.h"
#include "lib/marks.h"
#include "lib/registry.h"
#include "lib/report.h"
#include "lib/signals.h"
#include "lib/timeline.h"

enum { SESSION_TEXTS_MAX = 64, PERIOD_MAX = 1 << 20 };

static atomic_bool initialised;

/* Set from the environment before any scope runs, constant afterwards. */
static struct {
    enum rustscope_mode mode;
    bool off;
    uint32_t sampled_period;
    const char *out;
} env = {.sampled_period = RS_SAMPLED_DEFAULT};

static pthread_key_t thread_end_key;
static bool have_thread_end_key;
static atomic_bool is_forked;

static atomic_uint resets, settings;
static _Atomic double sigma = 3;
static atomic_ullong warmup = 10;

/* Of rustscope_state. */
static struct rs_lock state_lock;
static bool paused;
static uint32_t state_serial = 1; /* the value that rustscope_state starts with */

static struct rs_lock session_lock;
static _Atomic(const char *) session_name;
static const char *tags[SESSION_TEXTS_MAX];
static struct rs_label labels[SESSION_TEXTS_MAX];
static atomic_uint tag_count, label_count, session_serial, session_clears;

/* ---- starting, forking, ending ---- */

static void read_mode(const char *text)
{
    if (!strncmp(text, "sampled", 7)) {
        long period = text[7] == ':' ? strtol(text + 8, NULL, 10) : RS_SAMPLED_DEFAULT;

        env.mode = RUSTSCOPE_SAMPLED;
        env.sampled_period = period < 2 ? 2 : period > PERIOD_MAX ? PERIOD_MAX : (uint32_t)period;
    } else if (!strcmp(text, "precise")) {
        env.mode = RUSTSCOPE_PRECISE;
    } else if (!strcmp(text, "count")) {
        env.mode = RUSTSCOPE_COUNT;
    } else if (!strcmp(text, "off")) {
        env.off = true;
    }
}

static void read_environment(void)
{
    const char *mode = getenv("RUSTSCOPE_MODE"), *out = getenv("RUSTSCOPE_OUT");

    if (mode)
        read_mode(mode);
    if (out && *out && !env.off)
        env.out = rs_registry_copy(out);
}

static void thread_ends(void *context)
{
    struct rs_context *c = context;

    /* A context of before a fork is nobody's. */
    if (RS_THREAD_.context == c)
        rs_context_put(c);
}

static void forked(void)
{
    atomic_store_explicit(&is_forked, true, memory_order_relaxed);
    rs_lock_reset(&state_lock);
    rs_lock_reset(&session_lock);
    rs_clock_forked();
    rs_registry_forked();
    rs_link_forked();
    rs_context_forked();
    rs_marks_forked();
    rs_timeline_forked();
}

static void initialise(void)
{
    int saved_errno = errno;

    rs_clock_init();
    read_environment();
    have_thread_end_key = !pthread_key_create(&thread_end_key, thread_ends);
    pthread_atfork(NULL, NULL, forked);
    if (env.out) {
        rs_marks_keep();
        rs_signals_expect();
    }
    if (env.off)
        rs_state_renew();
    else
        rs_link_init();
    errno = saved_errno;
}

void rs_init(void)
{
    static _Atomic(struct rustscope_thread *) initialiser;
    struct rustscope_thread *nobody = NULL;
    uint32_t before;

    if (__builtin_expect(atomic_load_explicit(&initialised, memory_order_acquire), 1))
        return;
    if (atomic_compare_exchange_strong(&initialiser, &nobody, &RS_THREAD_)) {
        before = rs_busy_begin();
        initialise();
        atomic_store_explicit(&initialised, true, memory_order_release);
        rs_busy_end(before);
        return;
    }
    /* Another thread is at it. Were it this one, a handler would be waiting for the code that it cut into. */
    while (nobody != &RS_THREAD_ && !atomic_load_explicit(&initialised, memory_order_acquire))
        rs_os_yield();
}

/* Before the constructors of the program, so that scopes in them find the environment read. */
__attribute__((constructor(101))) static void start(void)
{
    rs_init();
}

/* After the program's own destructors, where this is its library: what they did is in the report. */
__attribute__((destructor(101))) static void finish(void)
{
    rs_link_finish();
    rs_report_at_exit();
}

void rs_thread_end_expect(struct rs_context *c)
{
    if (have_thread_end_key)
        pthread_setspecific(thread_end_key, c);
}

bool rs_is_forked(void)
{
    return atomic_load_explicit(&is_forked, memory_order_relaxed);
}

const char *rs_out_path(void)
{
    return env.out;
}

/* ---- settings ---- */

void rs_state_renew(void)
{
    rs_lock_take(&state_lock);
    state_serial++;
    /* 31 bits: a thread that sleeps through 2^31 changes and meets an equal value has missed none that matter. */
    RS_STORE_(RS_STATE_, (state_serial << 1) | (paused || env.off ? RUSTSCOPE_STATE_OFF : 0));
    rs_lock_drop(&state_lock);
}

uint32_t rs_resets(void)
{
    return atomic_load_explicit(&resets, memory_order_acquire);
}

uint32_t rs_settings(void)
{
    return atomic_load_explicit(&settings, memory_order_acquire);
}

void rs_settings_changed(void)
{
    atomic_fetch_add_explicit(&settings, 1, memory_order_release);
    rs_state_renew();
}

void rustscope_reset(void)
{
    rs_init();
    atomic_fetch_add_explicit(&resets, 1, memory_order_release);
    rs_state_renew();
    rs_timeline_forget();
}

static void set_paused(bool on)
{
    rs_init();
    rs_lock_take(&state_lock);
    paused = on;
    rs_lock_drop(&state_lock);
    rs_state_renew();
}

void rustscope_pause(void)
{
    set_paused(true);
}

void rustscope_resume(void)
{
    set_paused(false);
}

void rustscope_set_outlier_sigma(double new_sigma)
{
    if (!(new_sigma > 0))
        return;
    atomic_store_explicit(&sigma, new_sigma, memory_order_relaxed);
    rs_settings_changed();
}

void rustscope_set_outlier_warmup(uint64_t calls)
{
    atomic_store_explicit(&warmup, calls < 2 ? 2 : calls, memory_order_relaxed);
    rs_settings_changed();
}

double rs_outlier_sigma(void)
{
    return atomic_load_explicit(&sigma, memory_order_relaxed);
}

uint64_t rs_outlier_warmup(void)
{
    return atomic_load_explicit(&warmup, memory_order_relaxed);
}

enum rustscope_mode rs_process_mode(void)
{
    return env.mode;
}

uint32_t rs_sampled_period(void)
{
    return env.sampled_period;
}

const char *rs_mode_name(void)
{
    static const char *const names[] = {"default", "precise", "sampled", "count"};

    return env.off ? "off" : names[env.mode];
}

int rustscope_set_budget(const char *name, uint64_t budget_ns, rustscope_budget_fn callback, void *ctx)
{
    int rc;

    if (!name)
        return -EINVAL;
    rs_init();
    rc = rs_registry_set_budget(name, budget_ns, callback, ctx);
    if (!rc)
        rs_settings_changed();
    return rc;
}

/* ---- the session's texts ---- */

int rustscope_set_session_name(const char *name)
{
    const char *copied;

    if (!name)
        return -EINVAL;
    copied = rs_registry_copy(name);
    if (!copied)
        return -ENOMEM;
    atomic_store_explicit(&session_name, copied, memory_order_release);
    atomic_fetch_add_explicit(&session_serial, 1, memory_order_release);
    return 0;
}

int rustscope_add_tag(const char *tag)
{
    uint32_t count;
    int rc = 0;

    if (!tag)
        return -EINVAL;
    rs_lock_take(&session_lock);
    count = atomic_load_explicit(&tag_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(tags[i], tag))
            goto out;
    if (count == SESSION_TEXTS_MAX) {
        rc = -ENOSPC;
        goto out;
    }
    tag = rs_registry_copy(tag);
    if (!tag) {
        rc = -ENOMEM;
        goto out;
    }
    __atomic_store_n(&tags[count], tag, __ATOMIC_RELEASE);
    atomic_store_explicit(&tag_count, count + 1, memory_order_release);
    atomic_fetch_add_explicit(&session_serial, 1, memory_order_release);
out:
    rs_lock_drop(&session_lock);
    return rc;
}

int rustscope_set_label(const char *key, const char *value)
{
    uint32_t count, i;
    int rc = 0;

    if (!key || !value)
        return -EINVAL;
    rs_lock_take(&session_lock);
    count = atomic_load_explicit(&label_count, memory_order_relaxed);
    for (i = 0; i < count && strcmp(labels[i].key, key); i++)
        ;
    if (i == SESSION_TEXTS_MAX) {
        rc = -ENOSPC;
        goto out;
    }
    value = rs_registry_copy(value);
    key = i < count ? labels[i].key : rs_registry_copy(key);
    if (!key || !value) {
        rc = -ENOMEM;
        goto out;
    }
    __atomic_store_n(&labels[i].value, value, __ATOMIC_RELEASE);
    if (i == count) {
        __atomic_store_n(&labels[i].key, key, __ATOMIC_RELEASE);
        atomic_store_explicit(&label_count, count + 1, memory_order_release);
    }
    atomic_fetch_add_explicit(&session_serial, 1, memory_order_release);
out:
    rs_lock_drop(&session_lock);
    return rc;
}

/* Texts are never freed: who is reading them meanwhile reads what was. */
void rustscope_clear_tags_and_labels(void)
{
    rs_lock_take(&session_lock);
    atomic_store_explicit(&tag_count, 0, memory_order_release);
    atomic_store_explicit(&label_count, 0, memory_order_release);
    atomic_fetch_add_explicit(&session_clears, 1, memory_order_release);
    atomic_fetch_add_explicit(&session_serial, 1, memory_order_release);
    rs_lock_drop(&session_lock);
}

uint32_t rs_session_clears(void)
{
    return atomic_load_explicit(&session_clears, memory_order_acquire);
}

const char *rs_session_name(void)
{
    return atomic_load_explicit(&session_name, memory_order_acquire);
}

uint32_t rs_tag_count(void)
{
    return atomic_load_explicit(&tag_count, memory_order_acquire);
}

const char *rs_tag(uint32_t i)
{
    return __atomic_load_n(&tags[i], __ATOMIC_ACQUIRE);
}

uint32_t rs_label_count(void)
{
    return atomic_load_explicit(&label_count, memory_order_acquire);
}

struct rs_label rs_label(uint32_t i)
{
    return (struct rs_label){__atomic_load_n(&labels[i].key, __ATOMIC_ACQUIRE),
                             __atomic_load_n(&labels[i].value, __ATOMIC_ACQUIRE)};
}

uint32_t rs_session_serial(void)
{
    return atomic_load_explicit(&session_serial, memory_order_acquire);
}
