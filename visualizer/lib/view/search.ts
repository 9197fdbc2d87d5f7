// SPDX-License-Identifier: MIT
/** Search over function names and its answer over a view; runs on the page, a key stroke must not wait for the worker. */
import type { Topology } from '../model/types';
import { foldAt } from './fold';

export interface SearchQuery { readonly text: string; readonly regexp: boolean; readonly caseSensitive?: boolean }

export interface FuncMatches {
  /** 1 = matches, by FuncId. */
  readonly mask: Uint8Array;
  readonly funcs: number;
  /** Why the regular expression is none, in words; nothing matches then. */
  readonly error: string | null;
}

/** Keeps the names as they are searched, so that typing does not make them again. */
export class NameSearch {
  private whole = false;
  private searched: readonly string[] | null = null;
  private lower: readonly string[] | null = null;
  private last: { text: string; mask: Uint8Array } | null = null;

  /** SEEN gives the part of a name that is searched, unless the text itself has a `<`: then whole names are. */
  constructor(private readonly names: readonly string[], private readonly seen: (name: string) => string = (name) => name) {}

  find(query: SearchQuery): FuncMatches {
    const mask = new Uint8Array(this.names.length);
    if (query.text === '') return { mask, funcs: 0, error: null };
    const whole = query.text.includes('<');
    if (whole !== this.whole) {
      this.whole = whole;
      this.lower = this.last = null;
      this.searched = whole ? this.names : null;
    }
    this.searched ??= this.names.map(this.seen);
    return query.regexp ? this.byPattern(query, mask) : this.bySubstring(query, mask);
  }

  private byPattern(query: SearchQuery, mask: Uint8Array): FuncMatches {
    let pattern: RegExp;
    try {
      pattern = new RegExp(query.text, query.caseSensitive ? '' : 'i');
    } catch (error) {
      return { mask, funcs: 0, error: `This is not a regular expression: ${(error as Error).message.replace(/^.*?: (?=[^/]*$)/, '')}` };
    }
    let funcs = 0;
    for (let f = 0; f < mask.length; f++) if (pattern.test(this.searched![f])) funcs += mask[f] = 1;
    return { mask, funcs, error: null };
  }

  private bySubstring(query: SearchQuery, mask: Uint8Array): FuncMatches {
    this.lower ??= this.searched!.map((name) => name.toLowerCase());
    const names = query.caseSensitive ? this.searched! : this.lower;
    const text = query.caseSensitive ? query.text : query.text.toLowerCase();
    // One more letter can only narrow what the shorter text found.
    const within = !query.caseSensitive && this.last && text.startsWith(this.last.text) ? this.last.mask : null;
    let funcs = 0;
    for (let f = 0; f < mask.length; f++) if ((!within || within[f]) && names[f].includes(text)) funcs += mask[f] = 1;
    if (!query.caseSensitive) this.last = { text, mask };
    return { mask, funcs, error: null };
  }
}

export interface NodeMatches {
  /** Nodes that match and have a value. */
  readonly count: number;
  /** Value under the outermost matches: each stack counts once. */
  readonly covered: number;
}

/** Whether a frame matches; a folded one does when any of its functions does. */
export function matchesNode(t: Topology, mask: Uint8Array, node: number): boolean {
  const path = foldAt(t, node);
  if (path) return path.some((f) => f >= 0 && mask[f] === 1);
  return t.func[node] >= 0 && mask[t.func[node]] === 1;
}

/** How much of a view a set of functions covers. One pass, no list: see `nextMatch`. */
export function matchTotals(t: Topology, value: Float64Array, mask: Uint8Array, scratch: Uint8Array = new Uint8Array(t.count)): NodeMatches {
  let count = 0;
  let covered = 0;
  scratch[0] = 0;
  const { parent } = t;
  for (let n = 1; n < t.count; n++) {
    const above = scratch[parent[n]];
    scratch[n] = above;
    if (value[n] === 0 || !matchesNode(t, mask, n)) continue;
    count++;
    if (!above) {
      covered += value[n];
      scratch[n] = 1;
    }
  }
  return { count, covered };
}

/** The next match after NODE in STEP direction (1, -1) row by row, around the end; -1 when nothing matches. */
export function nextMatch(t: Topology, value: Float64Array, mask: Uint8Array, node: number, step: 1 | -1): number {
  for (let i = 1, n = node; i <= t.count; i++) {
    n = (n + step + t.count) % t.count;
    if (n > 0 && value[n] !== 0 && matchesNode(t, mask, n)) return n;
  }
  return -1;
}
