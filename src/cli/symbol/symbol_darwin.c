/* SPDX-License-Identifier: MIT */
/* macOS: `sample` prints names, files and lines itself, so there is nothing left to read. */
#include "symbol/symbol_none.c" /* NOLINT(bugprone-suspicious-include) */
