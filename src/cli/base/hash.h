/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Mixes all bits of X (the finaliser of MurmurHash3, public domain, Austin Appleby). */
static inline uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ull;
    return x ^ x >> 33;
}

static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
    return hash_u64(a * 0x9e3779b97f4a7c15ull + b);
}

/* FNV-1a with a final mix; for names, which are short. */
static inline uint64_t hash_bytes(const void *bytes, size_t len)
{
    const unsigned char *s = bytes;
    uint64_t hash = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ s[i]) * 0x100000001b3ull;
    return hash_u64(hash);
}
