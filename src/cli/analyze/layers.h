/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "session/session.h"
#include "symbol/symbol.h"

/*
 * Whose code a frame is: its crate or library, and its layer.
 *
 * Rust says it in the demangled path: the crate is the first word, for `<Type as Trait>` the one of the two that may
 * hold the impl (the orphan rule). User crates are told from dependencies by where their source lies
 * (~/.cargo/registry, the toolchain's /rustc/HASH/), without source by the program's own name. C and C++ say it by the
 * object: the program and what lies in its own folders is the user's, what lies in the system's folders is a dependency
 * or a runtime; a few functions (malloc, _start, operator new, std::) are known by name, wherever they were linked.
 */
struct layer_rules;

/* Reads which modules are the programs of SESSION, and its working directory. Free with layer_rules_free(). */
struct layer_rules *layer_rules_new(struct session *session);
void layer_rules_free(struct layer_rules *rules);

struct layer_verdict {
    string_id crate; /* crate or library */
    enum layer layer;
};

/* FRAME of the session's module MODULE (an index). */
struct layer_verdict layer_of(const struct layer_rules *rules, uint32_t module, const struct symbol_frame *frame);

/* The crate that the Rust path NAME belongs to, and its length; LEN 0 when it names none (a primitive type). */
const char *rust_crate_of(const char *name, size_t *len);
