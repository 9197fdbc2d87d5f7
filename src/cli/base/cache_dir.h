/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The path $XDG_CACHE_HOME/rustscope/NAME (else ~/.cache/rustscope/NAME), with its folders made (0700), or NULL when
 * there is no place for a cache. NAME may hold one slash. Free it with free().
 */
char *cache_dir_path(const char *name);
