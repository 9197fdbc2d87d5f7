/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/gate/comparison.h"

/*
 * Whether two arms may be compared at all: the same kind of machine, the same program, recorded in the same way, on a
 * machine that others left alone as much (or as little) on both sides. Clock frequency is not part of it: it changes by
 * itself.
 */
struct run_facts run_facts_of(const struct session *s, const char *path, struct arena *text);

/*
 * Fills unfit and notes of C. Figures that a difference spoils are marked as not comparable before they are judged:
 * times where the machines differ, everything where the programs do.
 */
void fitness_check(struct comparison *c);
