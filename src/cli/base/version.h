/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * "0.4.0 (5fb06f7a1c2d)": the version, and the commit that it was built from; "0.4.0" where that is not known. A plus behind
 * the commit says that the tree had changes.
 */
const char *version_text(void);
