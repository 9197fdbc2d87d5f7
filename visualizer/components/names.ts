// SPDX-License-Identifier: MIT
/**
 * Names as they are drawn: generics, closures and `<X as Trait>` shortened, the hash dropped. The whole name stands on
 * the hover card and in exports.
 *
 *     <alloc::vec::Vec<T> as core::iter::FromIterator<U>>::from_iter   Vec::from_iter
 *     my_app::parse::{{closure}}                                      my_app::parse{closure}
 *     core::ptr::drop_in_place<Box<dyn Fn()>>                         core::ptr::drop_in_place
 */
import type { ProfileInfo } from '@/lib/model/types';

const known = new Map<string, string>();

/** Whether code comes in crates, as Rust's does; elsewhere what stands in their place are the modules' names. */
export function hasCrates({ crates, modules }: { readonly crates: ProfileInfo['crates']; readonly modules: readonly { readonly name: string }[] }): boolean {
  const files = new Set(modules.map((module) => module.name));
  return crates.some((name) => !files.has(name));
}

/**
 * What a search looks at: the name without template arguments, which no label shows. The type and the trait of
 * `<A as B>::f` stay, though only A is drawn: a trait is what its methods are looked for by.
 */
export function searchedName(name: string): string {
  if (!name.includes('<') || /\boperator\s*[<>-]/.test(name)) return name;
  if (!/^<[\w<&*([]/.test(name)) return dropGenerics(name);
  const end = closing(name);
  return end < 0 ? name : `<${dropGenerics(name.slice(1, end))}>${dropGenerics(name.slice(end + 1))}`;
}

/** Where the bracket that opens TEXT closes, -1. */
function closing(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '<') depth++;
    else if (text[i] === '>' && text[i - 1] !== '-' && --depth === 0) return i;
  }
  return -1;
}

export function shortName(name: string): string {
  let short = known.get(name);
  if (short === undefined) {
    if (known.size > 100000) known.clear();
    known.set(name, (short = shorten(name)));
  }
  return short;
}

function shorten(name: string): string {
  // Only names with paths or templates: file names, syscalls and `operator<` stay as they are.
  if (!name.includes('<') && !name.includes('{')) return name.replace(/::h[0-9a-f]{16}$/, '');
  if (/\boperator\s*[<>-]/.test(name)) return name;
  const text = name.replace(/::h[0-9a-f]{16}$/, '').replace(/(::)?\{\{?closure(#\d+)?\}?\}(#\d+|::#\d+)?/g, '{closure}').replace(/(\{closure\}){2,}/g, '{closure}').replace(/(::)?\{\{vtable\.shim\}\}/, '{shim}');
  const self = /^<[\w<&*([]/.test(text) ? selfType(text) : text;
  const plain = dropGenerics(self).replace(/::(?=::)/g, '').replace(/::$/, '');
  return plain || name;
}

/** `<A as B>::f` is A::f, by the last segment of A's path; `<A>::f` likewise. */
function selfType(text: string): string {
  const end = closing(text);
  if (end < 0) return text;
  const type = dropGenerics(topLevelBefore(text.slice(1, end), ' as '));
  return type.slice(type.lastIndexOf('::') + 1 || 0).replace(/^:/, '') + text.slice(end + 1);
}

function topLevelBefore(text: string, word: string): string {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '<') depth++;
    else if (text[i] === '>' && text[i - 1] !== '-') depth--;
    else if (depth === 0 && text.startsWith(word, i)) return text.slice(0, i);
  }
  return text;
}

function dropGenerics(text: string): string {
  let depth = 0;
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const at = text[i];
    if (at === '<') depth++;
    else if (at === '>' && text[i - 1] !== '-') depth = Math.max(0, depth - 1);
    else if (depth === 0) out += at;
  }
  return out;
}

/** A C++ name without its parameters and what follows them: `ns::sort(int*, Less) const` is ns::sort. */
export function withoutParameters(name: string): string {
  const end = name.lastIndexOf(')');
  if (end < 0 || !/^( const| volatile| &&?| \[[^\]]*\])*$/.test(name.slice(end + 1))) return name;
  let depth = 0;
  for (let i = end; i > 0; i--) {
    if (name[i] === ')') depth++;
    else if (name[i] === '(' && --depth === 0) return /\boperator$|::$/.test(name.slice(0, i)) ? name : name.slice(0, i);
  }
  return name;
}
