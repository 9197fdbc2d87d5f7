/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/gate/comparison.h"

/*
 * Fills moves: a subject that is gone and one that is new, of the same size within 10 % (a path: of the same count and
 * bytes within 1 %) and called from the same place, are taken for one that was renamed or moved.
 */
void find_moves(struct comparison *c);

/*
 * Fills blames: for each total that changed, the functions or allocation paths that changed most the same way. What
 * moved is one of them, with its difference alone: find_moves() comes before.
 */
void blame_changes(struct comparison *c);
