// SPDX-License-Identifier: MIT
/**
 * Who is under whom. A built tree is a Topology for the page and a map from each node of the recorded tree to the
 * node that its self value goes to; a brush needs only the map. Bottom-up and callers are maps of the same kind
 * (a stack's self goes to the far end of its reversed path), so one summing loop in values.ts serves every view
 * and the totals of all views are equal by construction.
 *
 * Cost at 774k recorded nodes (branchy set of bench/): see bench/visualizer_data.mjs.
 */
import { ChildTable, IntColumn } from '../model/columns';
import { FLAG_INLINED, type Topology } from '../model/types';
import { DROP, HIDE, PROFILER, type Rules } from './rules';

/** The recorded tree with what building needs looked up per node. */
export interface SourceTree {
  readonly count: number;
  readonly parent: Int32Array;
  readonly func: Int32Array;
  readonly inlined: Uint8Array;
  readonly merged: boolean;
}

/** Fate of a recorded node's self value, for the status line. */
export const FATE_SHOWN = 0;
export const FATE_CHARGED = 1;
export const FATE_DROPPED = 2;
export const FATE_PROFILER = 3;

export interface BuiltTree {
  readonly topology: Topology;
  /** Recorded node → topology node that takes its self; -1 = left out. */
  readonly map: Int32Array;
  /** FATE_… per recorded node; null = all shown. */
  readonly fate: Uint8Array | null;
  /** What `repeatsOf` gave, once somebody asked. */
  repeats: Uint8Array | null;
}

/** Crate and module of a function (real or virtual). */
export interface GroupColumns {
  readonly crate: Int32Array;
  readonly module: Int32Array;
  readonly crates: number;
  readonly modules: number;
}

const NO_FOLDS: ReadonlyMap<number, readonly number[]> = new Map();

let lastId = 0;
/** Identifies a topology for as long as the worker lives. */
export function nextTopologyId(): number {
  return ++lastId;
}

const OUT = -1;     // left out with everything below
const PENDING = -2; // above the focus

/** Sum of |self| in and below each node; decides what is built and the order of siblings. */
export function subtreeWeights(parent: Int32Array, self: Float64Array): Float64Array {
  const sum = self.slice();
  for (let n = sum.length - 1; n >= 0; n--) if (parent[n] >= 0) sum[parent[n]] += sum[n];
  return sum;
}

/**
 * The tree from the roots down under RULES. WEIGHT is each recorded node's own weight over the whole recording
 * (≥ 0): nodes with nothing in or below them are not built.
 */
export function buildTopDown(tree: SourceTree, rules: Rules, weight: Float64Array): BuiltTree {
  const below = subtreeWeights(tree.parent, weight);
  if (rules.identity && tree.merged) return identityTree(tree, below);
  const { parent, func } = tree;
  const state = new Int32Array(tree.count);
  const map = new Int32Array(tree.count).fill(OUT);
  const fate = rules.identity ? null : new Uint8Array(tree.count);
  const level = rules.focus.length > 0 ? new Uint8Array(tree.count) : null;
  const stopped = rules.frozen ? new Uint8Array(tree.count) : null;
  const out = new ChildTable(Math.min(tree.count, 1 << 20));
  const allInlined = new IntColumn(1024);
  const rootKey = -1;
  out.child(-1, rootKey);
  allInlined.push(0);

  const childOf = (at: number, shown: number, inlined: number): number => {
    if (rules.recursion !== 'off') {
      const keys = out.key.data;
      const parents = out.parent.data;
      if (keys[at] === shown) return at;
      if (rules.recursion === 'all') for (let a = parents[at]; a > 0; a = parents[a]) if (keys[a] === shown) return a;
    }
    const before = out.count;
    const node = out.child(at, shown);
    if (node === before) allInlined.push(inlined);
    else if (!inlined) allInlined.data[node] = 0;
    return node;
  };

  for (let n = 0; n < tree.count; n++) {
    const p = parent[n];
    let at = p < 0 ? (level ? PENDING : 0) : state[p];
    let reached = level && p >= 0 ? level[p] : 0;
    const f = func[n];
    const verdict = f < 0 ? 0 : rules.verdict[f];
    const ours = verdict === PROFILER || (f >= 0 && rules.kernel[f] === 1 && p >= 0 && fate !== null && fate[p] === FATE_PROFILER);
    if (below[n] === 0 || at === OUT || verdict === DROP) {
      state[n] = OUT;
      if (fate) fate[n] = ours ? FATE_PROFILER : FATE_DROPPED;
      continue;
    }
    if (level && reached < rules.focus.length && f === rules.focus[reached]) {
      reached++;
      at = reached === rules.focus.length ? 0 : PENDING;
    }
    if (level) level[n] = reached;
    if (stopped && p >= 0 && stopped[p]) stopped[n] = 1;
    if (ours || at === PENDING) {
      state[n] = at;
      if (fate) fate[n] = ours ? FATE_PROFILER : FATE_DROPPED;
      continue;
    }
    let node: number;
    if (stopped && stopped[n]) {
      node = at;
      if (fate) fate[n] = FATE_SHOWN;
    } else if (verdict === HIDE) {
      node = at;
      if (fate) fate[n] = FATE_CHARGED;
    } else {
      const shown = f >= 0 && rules.shownAs ? rules.shownAs[f] : f;
      // A library collapsed to one frame also swallows its calls to itself.
      node = shown !== f && out.key.data[at] === shown ? at : childOf(at, shown, tree.inlined[n]);
      if (stopped && f >= 0 && rules.frozen![f]) stopped[n] = 1;
    }
    state[n] = node;
    map[n] = node === 0 && weight[n] > 0 ? childOf(0, rules.outside, 0) : node;
  }

  const own = new Float64Array(out.count);
  for (let n = 0; n < tree.count; n++) if (map[n] >= 0) own[map[n]] += weight[n];
  return { ...finish(out.parent.data, out.key.data, allInlined.data, out.count, own, map), fate, repeats: null };
}

/** The recorded tree as it is, below one root: no hashing, only the order of siblings. */
function identityTree(tree: SourceTree, below: Float64Array): BuiltTree {
  const place = new Int32Array(tree.count);
  let count = 1;
  for (let n = 0; n < tree.count; n++) place[n] = below[n] > 0 ? count++ : OUT;
  const parent = new Int32Array(count);
  const key = new Int32Array(count);
  const inlined = new Int32Array(count);
  const sum = new Float64Array(count);
  parent[0] = key[0] = -1;
  for (let n = 0; n < tree.count; n++) {
    const at = place[n];
    if (at < 0) continue;
    parent[at] = tree.parent[n] < 0 ? 0 : place[tree.parent[n]];
    key[at] = tree.func[n];
    inlined[at] = tree.inlined[n];
    sum[at] = below[n];
  }
  return { ...finishSummed(parent, key, inlined, count, sum, place), fate: null, repeats: null };
}

/** Nodes that a bottom-up tree may have; beyond, it ends at a depth. */
const INVERTED_NODES = 3_000_000;

/**
 * The true bottom-up tree: stacks merged from their leaves. OWN is the self weight of each topology node of TOP
 * over the whole recording. Built level by level, so that a tree that would not fit is complete down to a depth.
 */
export function buildBottomUp(top: BuiltTree, own: Float64Array, maxNodes = INVERTED_NODES): BuiltTree {
  const t = top.topology;
  const out = new ChildTable(Math.min(maxNodes, t.count * 2));
  const inlined = new IntColumn(1024);
  out.child(-1, -1);
  inlined.push(0);
  const reach = new Int32Array(t.count).fill(OUT); // topology node → inverted node that takes its self
  let stacks = 0;
  const stack = new Int32Array(t.count);
  const above = new Int32Array(t.count);
  for (let n = 1; n < t.count; n++) {
    if (own[n] <= 0) continue;
    reach[n] = 0;
    above[stacks] = n;
    stack[stacks++] = n;
  }
  let cappedAt = 0;
  for (let depth = 0; stacks > 0; depth++) {
    if (out.count + stacks > maxNodes && depth > 0) {
      cappedAt = depth;
      break;
    }
    let left = 0;
    for (let s = 0; s < stacks; s++) {
      const n = stack[s];
      const a = above[s];
      const before = out.count;
      const isInlined = t.flags[a] & FLAG_INLINED;
      const node = out.child(reach[n], t.func[a]);
      if (node === before) inlined.push(isInlined);
      else if (!isInlined) inlined.data[node] = 0;
      reach[n] = node;
      if (t.parent[a] > 0) {
        stack[left] = n;
        above[left++] = t.parent[a];
      }
    }
    stacks = left;
  }
  return mapThrough(top, reach, out, inlined, own, cappedAt);
}

/** Who calls FUNC: reversed paths above its outermost frames, each as wide as everything below that frame. */
export function buildCallers(top: BuiltTree, func: number, own: Float64Array): BuiltTree {
  const t = top.topology;
  const out = new ChildTable(1024);
  const inlined = new IntColumn(1024);
  out.child(-1, -1);
  inlined.push(0);
  const reach = new Int32Array(t.count).fill(OUT);
  for (let n = 1; n < t.count; n++) {
    const inherited = reach[t.parent[n]];
    if (inherited !== OUT) {
      reach[n] = inherited;
      continue;
    }
    if (t.func[n] !== func) continue;
    let node = 0;
    for (let a = n; a > 0; a = t.parent[a]) {
      const before = out.count;
      node = out.child(node, t.func[a]);
      if (node === before) inlined.push(t.flags[a] & FLAG_INLINED);
    }
    reach[n] = node;
  }
  return mapThrough(top, reach, out, inlined, own, 0);
}

/** Chains "recorded → top-down" with "top-down → reversed". */
function mapThrough(top: BuiltTree, reach: Int32Array, out: ChildTable, inlined: IntColumn, own: Float64Array, cappedAt: number): BuiltTree {
  const map = new Int32Array(top.map.length);
  const fate = top.fate ? Uint8Array.from(top.fate) : new Uint8Array(map.length);
  for (let n = 0; n < map.length; n++) {
    map[n] = top.map[n] < 0 ? OUT : reach[top.map[n]];
    if (map[n] < 0 && fate[n] < FATE_DROPPED) fate[n] = FATE_DROPPED;
  }
  const sums = new Float64Array(out.count);
  for (let n = 1; n < reach.length; n++) if (reach[n] >= 0) sums[reach[n]] += own[n];
  return { ...finish(out.parent.data, out.key.data, inlined.data, out.count, sums, map, cappedAt), fate, repeats: null };
}

function finish(parent: Int32Array, key: Int32Array, inlined: Int32Array, count: number, own: Float64Array, map: Int32Array, cappedAt = 0): { topology: Topology; map: Int32Array } {
  return finishSummed(parent, key, inlined, count, subtreeWeights(parent.subarray(0, count), own), map, cappedAt);
}

/**
 * Puts nodes into breadth-first order, siblings by falling SUM, and renames MAP (in place). Ids in are in order of
 * creation, where a stack's new frames follow each other. The walk is depth-first, which gives the nodes of a row in the
 * same order: it reads along the stacks, and writes at one place per row, so it stays within the cache. Breadth-first,
 * every node was a miss in each column it needed, which was half of the first view.
 */
function finishSummed(parent: Int32Array, key: Int32Array, inlined: Int32Array, count: number, sum: Float64Array, map: Int32Array, cappedAt = 0): { topology: Topology; map: Int32Array } {
  const start = new Uint32Array(count + 1);
  const depthOf = new Int32Array(count);
  const width: number[] = [1]; // nodes by row
  for (let n = 1; n < count; n++) {
    const depth = (depthOf[n] = depthOf[parent[n]] + 1);
    start[parent[n] + 1]++;
    if (depth === width.length) width.push(1);
    else width[depth]++;
  }
  for (let n = 0; n < count; n++) start[n + 1] += start[n];
  const fill = start.slice(0, count);
  const children = new Int32Array(Math.max(0, count - 1));
  for (let n = 1; n < count; n++) children[fill[parent[n]]++] = n;
  const rowStart = new Uint32Array(width.length + 1);
  for (let row = 0; row < width.length; row++) rowStart[row + 1] = rowStart[row] + width[row];

  const rank = new Int32Array(count);
  const firstChild = new Uint32Array(count + 1).fill(count);
  const outParent = new Int32Array(count);
  const func = new Int32Array(count);
  const flags = new Uint8Array(count);
  const free = new Int32Array(width.length + 1).fill(count); // the next place of each row
  free.set(rowStart.subarray(0, width.length));
  const path = new Int32Array(width.length); // by row: where the walk stands, and its children that are still to come
  const next = new Int32Array(width.length);
  const end = new Int32Array(width.length);
  outParent[0] = func[0] = -1;
  firstChild[0] = free[1];
  end[0] = start[1];
  if (end[0] > 1) sortBySum(children, 0, end[0], sum);
  for (let row = 0; row >= 0; ) {
    if (next[row] === end[row]) {
      row--;
      continue;
    }
    const node = children[next[row]++];
    const above = path[row++];
    const at = free[row]++;
    rank[node] = at;
    outParent[at] = above;
    func[at] = key[node];
    flags[at] = inlined[node] ? FLAG_INLINED : 0;
    firstChild[at] = free[row + 1];
    path[row] = at;
    next[row] = start[node];
    end[row] = start[node + 1];
    if (end[row] - next[row] > 1) sortBySum(children, next[row], end[row], sum);
  }
  for (let n = 0; n < map.length; n++) if (map[n] >= 0) map[n] = rank[map[n]];
  return { topology: { id: nextTopologyId(), count, parent: outParent, func, flags, firstChild, rowStart, cappedAt, folds: NO_FOLDS }, map };
}

/** Most nodes have a handful of children; a plain insertion sort wins there and needs no closure. */
function sortBySum(children: Int32Array, from: number, to: number, sum: Float64Array): void {
  if (to - from > 24) {
    const part = children.subarray(from, to);
    part.sort((a, b) => sum[b] - sum[a] || a - b);
    return;
  }
  for (let i = from + 1; i < to; i++) {
    const node = children[i];
    const weight = sum[node];
    let at = i - 1;
    while (at >= from && sum[children[at]] < weight) {
      children[at + 1] = children[at];
      at--;
    }
    children[at + 1] = node;
  }
}

export const REPEAT_FUNC = 1; // an ancestor is the same function: its total is not counted again
export const REPEAT_CRATE = 2;
export const REPEAT_MODULE = 4;

/**
 * REPEAT_… per node of a tree: which lie under another of the same function, crate or module, where a total counts a
 * stack once. Made when first asked for, which the first picture is not.
 */
export function repeatsOf(tree: BuiltTree, groups: GroupColumns): Uint8Array {
  return (tree.repeats ??= findRepeats(tree.topology, groups));
}

function findRepeats({ func, firstChild, count }: Topology, groups: GroupColumns): Uint8Array {
  const repeats = new Uint8Array(count);
  const onPathFunc = new Uint32Array(groups.crate.length + 1);
  const onPathCrate = new Uint32Array(groups.crates + 1);
  const onPathModule = new Uint32Array(groups.modules + 1);
  const path = new IntColumn(256); // nodes entered and not left
  const next = new IntColumn(256); // next child to enter, by depth
  path.push(0);
  next.push(firstChild[0]);
  while (path.length > 0) {
    const depth = path.length - 1;
    const node = path.data[depth];
    const at = next.data[depth];
    if (at < firstChild[node + 1]) {
      next.data[depth]++;
      const f = func[at];
      const crate = f < 0 ? -1 : groups.crate[f];
      const module = f < 0 ? -1 : groups.module[f];
      let mark = 0;
      if (onPathFunc[f + 1]++ > 0) mark |= REPEAT_FUNC;
      if (onPathCrate[crate + 1]++ > 0) mark |= REPEAT_CRATE;
      if (onPathModule[module + 1]++ > 0) mark |= REPEAT_MODULE;
      repeats[at] = mark;
      path.push(at);
      next.push(firstChild[at]);
    } else {
      path.length = next.length = depth;
      if (depth === 0) break;
      const f = func[node];
      onPathFunc[f + 1]--;
      onPathCrate[(f < 0 ? -1 : groups.crate[f]) + 1]--;
      onPathModule[(f < 0 ? -1 : groups.module[f]) + 1]--;
    }
  }
  return repeats;
}
