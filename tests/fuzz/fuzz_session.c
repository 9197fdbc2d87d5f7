/* SPDX-License-Identifier: MIT */
/* Whatever the file, reading it ends in a session that can be written again, or in a sentence. */
#include <stdlib.h>

#include "file/session_file.h"

static int discard(void *ctx, const char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rs_err err = {""};
    struct session *s = session_read((const char *)data, size, &err);

    if (s ? session_write(s, discard, NULL) != 0 : !err.text[0])
        abort();
    session_free(s);
    return 0;
}
