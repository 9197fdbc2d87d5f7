// SPDX-License-Identifier: MIT
/**
 * What makes functions of two builds the same one: the rules of `rustscope compare` (src/cli/analyze/gate/figures.c and
 * collect.c), held to them by tests/compare. A change here is a change there.
 */

/** The module that the program itself is on both sides, whatever its file is called. */
export const PROGRAM_MODULE = '[program]';

const APPENDED = [
  /::h[0-9a-fA-F]{16}$/,
  /\.(?:llvm|constprop|isra|part|lto_priv|cold)\.\d+$/,
  /\.cold$/,
  / \[clone [^[]*\]$/,
  /@{1,2}(?=[A-Z])[A-Za-z0-9_.]+$/,
];

/** NAME without what compilers and linkers append to it; never empty. */
export function plainName(name: string): string {
  let plain = name;
  for (let before = ''; before !== plain;) {
    before = plain;
    for (const pattern of APPENDED) {
      const shorter = plain.replace(pattern, '');
      if (shorter !== plain && /[^@]$/.test(shorter)) {
        plain = shorter;
        break;
      }
    }
  }
  return plain;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A crate or library as both sides call it: TARGET is the program's path. */
export function plainModule(module: string, target: string): string {
  if (target && baseName(module) === baseName(target)) return PROGRAM_MODULE;
  const version = module.indexOf('.so.');
  return version < 0 ? module : module.slice(0, version + 3);
}
