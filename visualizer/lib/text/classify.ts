// SPDX-License-Identifier: MIT
/**
 * Crate and layer of functions for formats that do not say them. RustScope sessions do; there this is not used.
 * The user's crate is the one whose `main` was seen; without one, code of unknown origin stays "unknown" and counts
 * as the user's.
 */
import { LAYER_ALLOC, LAYER_DEP, LAYER_KERNEL, LAYER_RUNTIME, LAYER_STD, LAYER_UNKNOWN, LAYER_USER } from '../model/types';

export interface Origin { readonly crate: string; readonly layer: number }

const STD_CRATES = new Set(['std', 'core', 'alloc', 'test', 'proc_macro', 'compiler_builtins', 'rustc_demangle', '__gnu_cxx', '__cxxabiv1']);
const RUNTIME_NAMES = new Set(['_start', '__libc_start_main', '__libc_start_call_main', '__libc_start_main_impl', 'start_thread', 'clone', 'clone3', '__clone', 'thread_start', '_dl_start', '_dl_start_user',
  'rust_begin_unwind', '__rust_begin_short_backtrace', '__rust_end_short_backtrace', 'lang_start', '_pthread_start', 'thread_native_entry']);
const ALLOC_NAMES = new Set(['malloc', 'free', 'calloc', 'realloc', 'reallocarray', 'memalign', 'aligned_alloc', 'posix_memalign', 'valloc', 'pvalloc', 'cfree', 'sysmalloc', 'unlink_chunk', 'malloc_consolidate',
  '_int_malloc', '_int_free', '_int_realloc', '_int_free_merge_chunk', '_int_free_create_chunk', '__libc_malloc', '__libc_free', '__libc_calloc', '__libc_realloc', 'systrim', 'tcache_init', 'operator new', 'operator delete', '_Znwm', '_ZdlPv']);
const STD_NAMES = /^(__)?(mem|str|wmem|wcs)(cpy|move|set|cmp|chr|len|cat|dup|ncmp|ncpy|rchr|str|mem)\w*$|^(pthread|__pthread|__memcpy|__memmove|__memset|__memcmp|__str|__GI_|__libc_|_IO_)\w*|^__\w+_(avx|avx2|avx512|sse2|sse4|evex|erms)\w*$|^(printf|fprintf|snprintf|vfprintf|fwrite|fread|fputs|qsort|bsearch)$/;
const ALLOC_PATTERN = /^(__rust_(re|de)?alloc(_zeroed)?|__rdl_\w+|__rg_\w+|_?je_\w+|_?rjem_\w+|mi_\w+|_mi_\w+|tc_(malloc|free|new|delete)\w*|operator (new|delete)\b.*|alloc::alloc::.*|.*::GlobalAlloc>::.*)$/;
const SYSTEM_MODULE = /^(libc|libm|libpthread|ld|libstdc\+\+|libgcc_s|libdl|librt|libsystem_\w+|dyld|libc\+\+\w*)([-.].*)?$|^ld-linux/;
const KERNEL_MODULE = /^\[?(kernel|kernel\.kallsyms|guest\.kernel\.kallsyms|vmlinux|kernel\.vmlinux)\]?\S*$|\.ko(\.\w+)?$/;

/** First path segment of a Rust name: `<alloc::vec::Vec<T> as X>::f` → alloc. Empty when there is no path. */
export function rustCrate(name: string): string {
  const match = /^[<&*([\s]*(?:mut |const |dyn |impl )*([A-Za-z_][A-Za-z0-9_]*)(?:\[[0-9a-f]+\])?::/.exec(name);
  return match ? match[1] : '';
}

const RUST_SIGNS = /::\{\{?closure|^(core|alloc|std)::(ops|rt|sys|panicking|vec|slice|iter|fmt|thread|collections|raw_vec|string|result|option)|::h[0-9a-f]{16}$| as (core|std|alloc)::/;

export function classifyAll(names: readonly string[], modules: readonly string[]): Origin[] {
  const rust = names.some((name) => RUST_SIGNS.test(name));
  const mine = new Set<string>();
  if (rust) for (const name of names) {
    const main = /^([A-Za-z_][A-Za-z0-9_]*)::main$/.exec(name.replace(/::h[0-9a-f]{16}$/, ''));
    if (main && !STD_CRATES.has(main[1])) mine.add(main[1]);
  }
  return names.map((name, i) => classify(name, modules[i], rust, mine));
}

function classify(name: string, module: string, rust: boolean, mine: ReadonlySet<string>): Origin {
  const file = module.slice(module.lastIndexOf('/') + 1);
  if (name.endsWith('_[k]') || KERNEL_MODULE.test(file)) return { crate: file || 'kernel', layer: LAYER_KERNEL };
  const plain = name.replace(/_\[[ij]\]$/, '').replace(/\(.*$/, '');
  if (RUNTIME_NAMES.has(plain) || /(^|::)(lang_start(_internal)?|__rust_(begin|end)_short_backtrace)\b/.test(plain)) return { crate: file || 'std', layer: LAYER_RUNTIME };
  if (ALLOC_NAMES.has(plain) || ALLOC_PATTERN.test(plain)) return { crate: (rust && rustCrate(name)) || file || 'libc', layer: LAYER_ALLOC };
  const crate = rust ? rustCrate(name) : '';
  if (crate) {
    if (STD_CRATES.has(crate)) return { crate, layer: LAYER_STD };
    return { crate, layer: mine.size === 0 ? LAYER_UNKNOWN : mine.has(crate) ? LAYER_USER : LAYER_DEP };
  }
  if (/^(std|__gnu_cxx|__cxxabiv1)::/.test(plain) || SYSTEM_MODULE.test(file) || STD_NAMES.test(plain)) return { crate: file || 'libc', layer: LAYER_STD };
  return { crate: file, layer: LAYER_UNKNOWN };
}
