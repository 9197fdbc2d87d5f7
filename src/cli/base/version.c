/* SPDX-License-Identifier: MIT */
#include "base/version.h"

const char *version_text(void)
{
    return sizeof(RUSTSCOPE_COMMIT) > 1 ? RUSTSCOPE_VERSION " (" RUSTSCOPE_COMMIT ")" : RUSTSCOPE_VERSION;
}
