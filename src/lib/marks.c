/* SPDX-License-Identifier: MIT */
#include "lib/marks.h"

#include <rustscope.h>
#include <stdatomic.h>
#include <string.h>

#include "core/clock.h"
#include "lib/link.h"
#include "lib/os.h"

static _Atomic(struct rs_mark *) kept;
static atomic_uint taken;

void rs_marks_keep(void)
{
    if (!atomic_load_explicit(&kept, memory_order_relaxed))
        atomic_store_explicit(&kept, rs_os_map(sizeof(struct rs_mark) * RS_MARKS_MAX, false), memory_order_release);
}

void rs_marks_forked(void)
{
    atomic_store_explicit(&taken, 0, memory_order_relaxed);
    if (atomic_load_explicit(&kept, memory_order_relaxed)) {
        atomic_store_explicit(&kept, NULL, memory_order_relaxed);
        rs_marks_keep();
    }
}

static void keep(const char *name, bool is_counter, double value)
{
    struct rs_mark *all = atomic_load_explicit(&kept, memory_order_acquire), *m;
    uint32_t i;

    if (__builtin_expect(!all, 1))
        return;
    i = atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
    if (i >= RS_MARKS_MAX)
        return;
    m = &all[i];
    m->value = value;
    m->is_counter = is_counter;
    strncpy(m->name, name ? name : "", sizeof(m->name) - 1);
    __atomic_store_n(&m->mono_ns, rs_clock_mono_ns(), __ATOMIC_RELEASE);
}

void rustscope_mark(const char *name)
{
    keep(name, false, 0);
    rs_link_mark(name, false, 0);
}

void rustscope_counter(const char *name, double value)
{
    keep(name, true, value);
    rs_link_mark(name, true, value);
}

uint32_t rs_mark_count(uint64_t *dropped)
{
    uint32_t count = atomic_load_explicit(&taken, memory_order_relaxed);

    *dropped = count > RS_MARKS_MAX ? count - RS_MARKS_MAX : 0;
    return count < RS_MARKS_MAX ? count : RS_MARKS_MAX;
}

bool rs_mark_get(uint32_t i, struct rs_mark *out)
{
    struct rs_mark *all = atomic_load_explicit(&kept, memory_order_acquire);

    if (!all || !__atomic_load_n(&all[i].mono_ns, __ATOMIC_ACQUIRE))
        return false;
    *out = all[i];
    return true;
}
