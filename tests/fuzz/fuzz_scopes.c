/* SPDX-License-Identifier: MIT */
/* Whatever a program sends as librustscope's records, a session comes of it that can be written. */
#include <stdlib.h>
#include <string.h>

#include "collect/channel/scopes.h"
#include "core/wire.h"
#include "file/session_file.h"

static int discard(void *ctx, const char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session *s = session_new(1000000000, 1700000000000);
    struct scopes *scopes = scopes_new(s);

    session_add_process(s, 1, -1, 0);
    while (size >= sizeof(uint32_t)) {
        uint32_t word;
        size_t bytes;
        void *record;

        memcpy(&word, data, sizeof(word));
        bytes = 4 * (size_t)RS_RECORD_WORDS(word);
        bytes = bytes < sizeof(word) ? sizeof(word) : bytes > size ? size & ~(size_t)3 : bytes;
        record = malloc(bytes); /* of its very size, aligned as the channel's are */
        memcpy(record, data, bytes);
        scopes_record(scopes, 0, record, bytes);
        free(record);
        data += bytes;
        size -= bytes;
    }
    scopes_finish(scopes);
    if (session_write(s, discard, NULL))
        abort();
    scopes_free(scopes);
    session_free(s);
    return 0;
}
