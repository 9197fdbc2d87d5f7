// SPDX-License-Identifier: MIT
/** Turns the page's chips, layers and "only my code" into one verdict per function, so that building a tree asks once per node. */
import { LAYER_KERNEL, LAYER_PROFILER, LAYER_RUNTIME, LAYER_STD, LAYER_UNKNOWN, LAYER_USER, type FuncTable, type PresetName, type Transform } from '../model/types';

export const SHOW = 0;
/** The frame disappears, its self goes to its caller. */
export const HIDE = 1;
/** Every sample that contains it is left out. */
export const DROP = 2;
/**
 * The profiler's own work, the kernel on its behalf included: left out of every percentage. What the program does below
 * it (our malloc calling the real one) is the program's, and charged to the caller.
 */
export const PROFILER = 3;

/** Ids of the functions that transforms make; they follow the real ones. */
export interface VirtualFuncs {
  readonly real: number;
  readonly crate0: number;
  readonly module0: number;
  readonly outside: number;
  readonly hidden: number;
  readonly count: number;
}

export function virtualFuncs(real: number, crates: number, modules: number): VirtualFuncs {
  const crate0 = real;
  const module0 = crate0 + crates;
  const outside = module0 + modules;
  return { real, crate0, module0, outside, hidden: outside + 1, count: outside + 2 };
}

export interface Rules {
  readonly verdict: Uint8Array;        // per real function
  /** 1 = kernel code, per real function. */
  readonly kernel: Uint8Array;
  /** What a function is shown as: itself, or "[crate]". Null: everything as itself. */
  readonly shownAs: Int32Array | null;
  /** 1: what it calls becomes its self. Null: none. */
  readonly frozen: Uint8Array | null;
  readonly focus: readonly number[];
  readonly recursion: 'off' | 'direct' | 'all';
  /** Function that stands for self which no visible frame called. */
  readonly outside: number;
  /** No rule changes the tree. */
  readonly identity: boolean;
}

/** The start-up code of Rust's library (std::rt, std::panicking) is of the runtime, and of std: either switch hides it. */
const STD_PATH = /^<*(?:&|mut |dyn )*(?:std|core|alloc)::/;

/** Crates that only move work about. */
const PLUMBING: Record<PresetName, string> = {
  tokio: 'tokio|tokio_util|mio|async_task',
  rayon: 'rayon|rayon_core|crossbeam_deque|crossbeam_epoch',
  futures: 'futures|futures_(?:util|core|channel|executor|task|sink|io)|pin_project|pin_project_lite',
};

/**
 * What is a crate's by its name: paths and methods, also of types inside of functions (`<<a::B as T>::f::C>::g`), its
 * traits on whatever type (`<&L as a::T>::f`; on a type of the user's it is the user's code), and its types' drop glue.
 */
function ownedBy(crates: string): RegExp[] {
  return [
    new RegExp(`^<*(?:${crates})::`),
    new RegExp(`^<&?(?:mut )?[A-Z]\\w* as (?:${crates})::`),
    new RegExp(`^core::ptr::drop_in_place(?:::)?<(?:(?:core|alloc|std)::[\\w:]+<)*<*(?:${crates})::`),
  ];
}

const PRESETS: Record<PresetName, readonly RegExp[]> = {
  tokio: ownedBy(PLUMBING.tokio),
  rayon: ownedBy(PLUMBING.rayon),
  futures: [...ownedBy(PLUMBING.futures), /^<?core::(future|pin|task)::/, /^<.* as core::future::(future::Future|into_future::IntoFuture)>::/],
};
export const PRESET_NAMES: readonly PresetName[] = ['tokio', 'rayon', 'futures'];

export function presetMatches(preset: PresetName, name: string): boolean {
  return PRESETS[preset].some((pattern) => pattern.test(name));
}

export interface RuleInput {
  readonly funcs: FuncTable;
  readonly names: readonly string[];   // by FuncId
  readonly crate: Int32Array;          // by FuncId: index into the list of crates, -1
  readonly virtual: VirtualFuncs;
  readonly transforms: readonly Transform[];
  readonly layers: number;
  readonly onlyMyCode: boolean;
  readonly collapseRecursion: 'off' | 'direct' | 'all';
}

/** Code whose origin nothing tells counts as the user's: a C program's folded stacks must not vanish. */
export const MY_CODE = (1 << LAYER_USER) | (1 << LAYER_UNKNOWN);

export function compileRules(input: RuleInput): Rules {
  const { funcs, virtual } = input;
  const verdict = new Uint8Array(funcs.count);
  const shown = input.onlyMyCode ? MY_CODE & input.layers : input.layers;
  let identity = input.collapseRecursion === 'off';
  const shows = (layer: number): boolean => (shown >> layer & 1) === 1;
  for (let f = 0; f < funcs.count; f++) {
    if (funcs.layer[f] === LAYER_PROFILER) verdict[f] = PROFILER;
    else if (!shows(funcs.layer[f]) || (funcs.layer[f] === LAYER_RUNTIME && !shows(LAYER_STD) && STD_PATH.test(input.names[f]))) verdict[f] = HIDE;
    if (verdict[f] !== SHOW) identity = false;
  }
  let shownAs: Int32Array | null = null;
  let frozen: Uint8Array | null = null;
  const focus: number[] = [];
  const replace = (column: Int32Array, key: number, by: number): void => {
    shownAs ??= Int32Array.from({ length: funcs.count }, (_, f) => f);
    for (let f = 0; f < funcs.count; f++) if (column[f] === key) shownAs[f] = by;
  };
  for (const t of input.transforms) {
    identity = false;
    switch (t.kind) {
      case 'merge': if (t.func < funcs.count && verdict[t.func] === SHOW) verdict[t.func] = HIDE; break;
      case 'drop': if (t.func < funcs.count) verdict[t.func] = DROP; break;
      case 'focus': focus.push(t.func); break;
      case 'collapse-function': frozen ??= new Uint8Array(funcs.count); if (t.func < funcs.count) frozen[t.func] = 1; break;
      case 'collapse-crate': replace(input.crate, t.crate, virtual.crate0 + t.crate); break;
      case 'collapse-module': replace(funcs.module, t.module, virtual.module0 + t.module); break;
      case 'merge-crate': for (let f = 0; f < funcs.count; f++) if (input.crate[f] === t.crate && verdict[f] === SHOW) verdict[f] = HIDE; break;
      case 'preset': for (let f = 0; f < funcs.count; f++) if (verdict[f] === SHOW && presetMatches(t.preset, input.names[f])) verdict[f] = HIDE; break;
    }
  }
  const kernel = funcs.layer.map((layer) => (layer === LAYER_KERNEL ? 1 : 0));
  return { verdict, kernel, shownAs, frozen, focus, recursion: input.collapseRecursion, outside: input.onlyMyCode ? virtual.outside : virtual.hidden, identity };
}
