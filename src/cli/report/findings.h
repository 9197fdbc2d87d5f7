/* SPDX-License-Identifier: MIT */
#pragma once

#include "report/page.h"

/*
 * What to look at first: at most FINDINGS_MAX sentences, the one that promises most first. Each names its figure, its
 * reason and what to try, and is only there when the numbers carry it. The kernel's scheduling, [unsampled] and names
 * of the profiler are never what leads.
 */
enum { FINDINGS_MAX = 5 };

struct findings {
    char text[FINDINGS_MAX][600];
    int count;
};

void findings_of(const struct page *page, struct findings *findings);
