/* SPDX-License-Identifier: MIT */
#include "collect/channel/explain.h"

#include <stdio.h>

#include "core/wire.h"

enum {
    UNKNOWN_FREES_WORTH = 100,   /* a sentence */
    SUSPICIOUS_BYTES = 16000000, /* below, a runtime's own needs explain it */
};

bool explain_is_suspicious(const struct explain_memory *memory)
{
    return memory->anon_peak >= SUSPICIOUS_BYTES && memory->heap_peak * 2 < memory->anon_peak;
}

const char *explain_bypass(const struct shim_allocator *found, bool hooks_operators,
                           const struct explain_memory *memory, char *sentence, size_t size)
{
    const char *name = found->name ? found->name : "an allocator (jemalloc, tcmalloc, mimalloc…)";

    if (found->takes_new && !hooks_operators) {
        snprintf(sentence, size,
                 "operator new is that of %s, which does not call malloc: only malloc's own callers are recorded. Give "
                 "rustscope the program itself, not what starts it",
                 name);
        return "operator new of another allocator bypasses malloc";
    }
    if (found->is_malloc && !memory->allocations) {
        snprintf(sentence, size,
                 "malloc is in the program's own file (%s), where RustScope cannot record it. For a profile, link "
                 "without it or against its shared library",
                 found->name ? found->name : "its own");
        return "malloc is in the program's own file";
    }
    if (!explain_is_suspicious(memory) ||
        (!found->linked_in && memory->heap_peak + memory->outside_peak > memory->anon_peak / 8))
        return NULL;
    snprintf(sentence, size,
             "%.0f MB were taken, but only %.1f MB of them through malloc: RustScope does not see the rest, which is "
             "probably taken by %s that is linked into the program",
             (double)memory->anon_peak / 1e6, (double)memory->heap_peak / 1e6, name);
    return "an allocator of its own bypasses malloc";
}

void explain_losses(struct session *session, const struct explain_losses *losses)
{
    if (losses->blind_ns)
        session_warn(session,
                     "rustscope was stopped for %.0f s: what programs allocated and freed meanwhile is missing from "
                     "every total",
                     (double)losses->blind_ns / 1e9);
    if (losses->dropped)
        session_warn(session, "%llu allocation events were dropped because rustscope could not keep up%s",
                     (unsigned long long)losses->dropped,
                     losses->blind_ns || losses->images ? "" : "; totals are complete");
    if (losses->images)
        session_warn(session, "allocations of some processes are missing: there were more at once, or in all, than "
                              "rustscope keeps track of (--no-follow records the program itself alone)");
    if (losses->nodes)
        session_warn(session,
                     "%llu call paths of allocations were beyond the bounds: what they allocated is in every total, "
                     "under [no stack]",
                     (unsigned long long)losses->nodes);
    if (losses->uncertain)
        session_warn(session, "%llu blocks are not called leaks: the events that may have freed them were dropped",
                     (unsigned long long)losses->uncertain);
    if (!losses->dropped && losses->unknown_frees >= UNKNOWN_FREES_WORTH)
        session_warn(session,
                     "%llu blocks were freed that nobody was seen to allocate: a library that was opened with "
                     "RTLD_DEEPBIND or dlmopen(), or an allocator linked into the program, has a malloc of its own "
                     "that RustScope does not see",
                     (unsigned long long)losses->unknown_frees);
}
