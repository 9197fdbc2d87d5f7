/* SPDX-License-Identifier: MIT */
#include "tui/keys.h"

#include <string.h>

#include "core/json.h"

static const struct {
    const char *sequence; /* behind ESC */
    int key;
} sequences[] = {
    {"[A", KEYS_UP},        {"OA", KEYS_UP},       {"[B", KEYS_DOWN}, {"OB", KEYS_DOWN}, {"[5~", KEYS_PAGE_UP},
    {"[6~", KEYS_PAGE_DOWN}, {"[H", KEYS_HOME},     {"OH", KEYS_HOME}, {"[1~", KEYS_HOME}, {"[7~", KEYS_HOME},
    {"[F", KEYS_END},       {"OF", KEYS_END},      {"[4~", KEYS_END}, {"[8~", KEYS_END}, {"[Z", KEYS_BACK_TAB},
};

/* Bytes of the sequence behind ESC: CSI up to its final byte, SS3 and its one byte, else a single byte (Alt-x). */
static size_t sequence_len(const char *bytes, size_t len)
{
    size_t at = 1;

    if (bytes[0] == 'O')
        return len < 2 ? len : 2;
    if (bytes[0] != '[')
        return 1;
    while (at < len && (unsigned char)bytes[at] < 0x40)
        at++;
    return at < len ? at + 1 : len;
}

int key_decode(const char *bytes, size_t len, size_t *used)
{
    *used = 1;
    if (!len)
        return KEY_NONE;
    if (bytes[0] == 0x1b && len > 1) {
        size_t sequence = sequence_len(bytes + 1, len - 1);

        *used = 1 + sequence;
        for (size_t i = 0; i < sizeof(sequences) / sizeof(*sequences); i++)
            if (strlen(sequences[i].sequence) == sequence && !memcmp(sequences[i].sequence, bytes + 1, sequence))
                return sequences[i].key;
        return KEYS_OTHER;
    }
    if ((unsigned char)bytes[0] >= 0x80) {
        unsigned char_len = rs_utf8_char_len(bytes, len);

        *used = char_len ? char_len : 1;
        return KEYS_OTHER;
    }
    return (unsigned char)bytes[0];
}
