// SPDX-License-Identifier: MIT
/**
 * The way from the root to the reader's code as one frame. A Rust program begins with some sixteen frames of start-up
 * code, a thread with as many; they are as wide as everything below them and say nothing about it. Between the root and
 * the reader's code, a chain of frames is folded where one child has nearly all of each. Small side branches on the way
 * become children of the folded frame, so that every other frame keeps its place and its value.
 *
 * A fold changes who is under whom, not what is summed: values of the whole tree are gathered by `from`.
 */
import { FLAG_FOLDED, type FuncId, type Topology } from '../model/types';

/** A child with this share of its parent carries the way on. */
const CARRIES = 0.95;
/** Fewer frames than this gain nothing by a fold. */
const LEAST = 2;

export interface Folded {
  readonly topology: Topology;
  /** Node of the folded tree → node of the whole one; for a folded frame its outermost. */
  readonly from: Int32Array;
}

/** `main` of a Rust program is made by the compiler: the reader's is what std::rt::lang_start calls. */
function isEntryShim(name: string, child: string): boolean {
  return name === 'main' && /^(std::rt::)?lang_start/.test(child);
}

/** TOTAL: of each node over the whole recording, which a window does not change. MINE: 1 = the reader's, by function. */
export function foldRoots(t: Topology, total: Float64Array, mine: Uint8Array, names: readonly string[], id: number): Folded | null {
  const isMine = (n: number): boolean => t.func[n] >= 0 && mine[t.func[n]] === 1 && !(t.firstChild[n] < t.firstChild[n + 1] && isEntryShim(names[t.func[n]], names[t.func[t.firstChild[n]]] ?? ''));
  // 1: the reader's code lies below; where it does not, the frames are all there is to see.
  const leads = new Uint8Array(t.count);
  for (let n = t.count - 1; n > 0; n--) if (leads[n] || isMine(n)) leads[t.parent[n]] = 1;
  const chainFrom = (node: number): number[] => {
    const chain: number[] = [];
    for (let n = node; leads[n] && !isMine(n); ) {
      const heaviest = t.firstChild[n]; // siblings stand in order of their totals
      if (!(total[heaviest] >= CARRIES * total[n])) break;
      chain.push(n);
      n = heaviest;
    }
    return chain.length >= LEAST ? chain : [node];
  };

  const from = new Int32Array(t.count);
  const parent = new Int32Array(t.count);
  const func = new Int32Array(t.count);
  const flags = new Uint8Array(t.count);
  const firstChild = new Uint32Array(t.count + 1);
  const before = new Uint8Array(t.count); // 1: no frame of the reader's above
  const rowStart: number[] = [0];
  const folds = new Map<number, readonly FuncId[]>();
  let count = 1;
  const adopt = (node: number, first: number, end: number): void => {
    for (let c = first; c < end; c++) {
      from[count] = c;
      parent[count++] = node;
    }
  };
  parent[0] = -1;
  before[0] = 1;
  for (let node = 0, rowEnd = 0; node < count; node++) {
    if (node === rowEnd) rowStart.push((rowEnd = node === 0 ? 1 : count));
    const whole = from[node];
    const chain = node > 0 && before[parent[node]] ? chainFrom(whole) : [whole];
    const last = chain[chain.length - 1];
    func[node] = t.func[whole];
    flags[node] = t.flags[whole];
    firstChild[node] = count;
    if (node > 0) before[node] = before[parent[node]] && !isMine(last) ? 1 : 0;
    if (chain.length > 1) {
      flags[node] = FLAG_FOLDED;
      folds.set(node, chain.map((n) => t.func[n]));
    }
    // From left to right: what the innermost frame calls, then the side branches of those around it.
    adopt(node, t.firstChild[last], t.firstChild[last + 1]);
    for (let i = chain.length - 2; i >= 0; i--) adopt(node, t.firstChild[chain[i]] + 1, t.firstChild[chain[i] + 1]);
  }
  if (!folds.size) return null;
  firstChild.fill(count, count);
  return {
    topology: {
      id, count, parent: parent.slice(0, count), func: func.slice(0, count), flags: flags.slice(0, count), firstChild: firstChild.slice(0, count + 1), rowStart: Uint32Array.from(rowStart), cappedAt: t.cappedAt, folds,
    },
    from: from.slice(0, count),
  };
}

/** COLUMN of the whole tree for the nodes of a folded one. */
export function gather(column: Float64Array, from: Int32Array): Float64Array {
  const out = new Float64Array(from.length);
  for (let i = 0; i < out.length; i++) out[i] = column[from[i]];
  return out;
}

/** The function that stands directly above NODE: inside of a folded frame, its innermost. -1 below the root. */
export function callerOf(t: Topology, node: number): FuncId {
  const parent = t.parent[node];
  const path = foldAt(t, parent);
  return path ? path[path.length - 1] : t.func[parent];
}

/** The functions behind a folded frame, outermost first; null for any other. */
export function foldAt(t: Topology, node: number): readonly FuncId[] | null {
  return t.flags[node] & FLAG_FOLDED ? t.folds.get(node) ?? null : null;
}
