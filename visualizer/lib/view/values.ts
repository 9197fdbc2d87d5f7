// SPDX-License-Identifier: MIT
/**
 * Values of a built tree for a metric, a window and a set of threads. This is what a brush runs: it touches the
 * rows of the window once and the nodes of the topology three times, all in typed arrays.
 */
import type { GroupTable, Metric, TimeWindow } from '../model/types';
import { FATE_CHARGED, FATE_DROPPED, FATE_PROFILER, REPEAT_CRATE, REPEAT_FUNC, REPEAT_MODULE, repeatsOf, type BuiltTree, type GroupColumns } from './topology';

/** Rows [from, to) of a metric that lie in a window, and the window as the buckets really cut it. */
export interface RowRange { readonly from: number; readonly to: number; readonly window: TimeWindow }

export function rowRange(metric: Metric, window: TimeWindow): RowRange | null {
  const rows = metric.rows;
  if (!rows) return null;
  const buckets = rows.start.length - 1;
  const clamp = (bucket: number): number => Math.min(Math.max(bucket, 0), buckets);
  const first = clamp(Math.floor(window.fromMs / rows.intervalMs));
  const last = clamp(Math.max(Math.ceil(window.toMs / rows.intervalMs), first + 1));
  return { from: rows.start[first], to: rows.start[last], window: { fromMs: first * rows.intervalMs, toMs: last * rows.intervalMs } };
}

/** Self of each recorded node over the whole recording; computed once. */
export function wholeSelf(metric: Metric, nodes: number): Float64Array {
  if (metric.whole) return metric.whole;
  const sum = new Float64Array(nodes);
  const rows = metric.rows;
  if (rows) for (let r = 0; r < rows.node.length; r++) if (rows.node[r] >= 0) sum[rows.node[r]] += rows.weight[r];
  return (metric.whole = sum);
}

/** Weight that decides what a tree is built of: whatever any window of the metric could show. */
export function buildWeight(metric: Metric, nodes: number): Float64Array {
  const weight = wholeSelf(metric, nodes).map(Math.abs);
  const rows = metric.rows;
  if (rows) for (let r = 0; r < rows.node.length; r++) {
    const n = rows.node[r];
    if (n >= 0 && weight[n] === 0 && rows.weight[r] !== 0) weight[n] = Math.abs(rows.weight[r]);
  }
  return weight;
}

export interface Filter { readonly range: RowRange | null; readonly thread: Uint8Array | null /* 1 = in, by thread */ }

export interface Sums {
  /** Self per topology node; the caller turns it into totals with `accumulate`. */
  readonly value: Float64Array;
  inWindow: number;
  dropped: number;
  profiler: number;
  freed: number;
  charged: number;
  rows: number;
}

/** Self values of TREE. A signed metric is netted per recorded node first: what a window only freed is not drawn but counted. */
export function sumSelf(tree: BuiltTree, metric: Metric, nodes: number, filter: Filter): Sums {
  const sums: Sums = { value: new Float64Array(tree.topology.count), inWindow: 0, dropped: 0, profiler: 0, freed: 0, charged: 0, rows: 0 };
  const rows = metric.rows;
  const byRow = rows !== null && (filter.range !== null || filter.thread !== null);
  if (!byRow) {
    addNodes(tree, wholeSelf(metric, nodes), sums);
    sums.rows = rows ? rows.node.length : NaN;
    return sums;
  }
  const from = filter.range ? filter.range.from : 0;
  const to = filter.range ? filter.range.to : rows.node.length;
  if (metric.info.signed || tree.fate) {
    const self = new Float64Array(nodes);
    for (let r = from; r < to; r++) {
      if (rows.node[r] < 0 || (filter.thread && !inThreads(filter.thread, rows.thread[r]))) continue;
      self[rows.node[r]] += rows.weight[r];
      sums.rows++;
    }
    addNodes(tree, self, sums);
    return sums;
  }
  const { map } = tree;
  const { value } = sums;
  for (let r = from; r < to; r++) {
    const node = rows.node[r];
    if (node < 0 || (filter.thread && !inThreads(filter.thread, rows.thread[r]))) continue;
    const at = map[node];
    sums.rows++;
    sums.inWindow += rows.weight[r];
    if (at >= 0) value[at] += rows.weight[r];
  }
  return sums;
}

function inThreads(mask: Uint8Array, thread: number): boolean {
  return thread >= 0 && mask[thread] === 1;
}

function addNodes(tree: BuiltTree, self: Float64Array, sums: Sums): void {
  const { map, fate } = tree;
  const { value } = sums;
  for (let n = 0; n < self.length; n++) {
    const v = self[n];
    if (v === 0) continue;
    if (v < 0) {
      sums.freed -= v;
      continue;
    }
    const how = fate ? fate[n] : 0;
    if (how === FATE_PROFILER) {
      sums.profiler += v;
      continue;
    }
    sums.inWindow += v;
    if (how === FATE_DROPPED) sums.dropped += v;
    else if (how === FATE_CHARGED) sums.charged += v;
    if (map[n] >= 0) value[map[n]] += v;
  }
}

/** Self → total, in place; returns the left edges. */
export function accumulate(tree: BuiltTree, value: Float64Array): Float64Array {
  const { parent, firstChild, count } = tree.topology;
  for (let i = count - 1; i > 0; i--) value[parent[i]] += value[i];
  const x0 = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = x0[i];
    for (let c = firstChild[i]; c < firstChild[i + 1]; c++) {
      x0[c] = x;
      x += value[c];
    }
  }
  return x0;
}

/** Self and total per function, crate and module, each stack counted once. */
export class GroupSums {
  readonly self: Float64Array;
  readonly total: Float64Array;
  constructor(readonly size: number) {
    this.self = new Float64Array(size + 1);
    this.total = new Float64Array(size + 1);
  }

  /** Rows with anything in them, largest self first. Key -1 (unknown) is kept at index 0. */
  table(bytes: Float64Array | null): GroupTable {
    const keys: number[] = [];
    for (let k = 0; k <= this.size; k++) if (this.total[k] !== 0 || (bytes && bytes[k] !== 0)) keys.push(k);
    keys.sort((a, b) => this.self[b] - this.self[a] || this.total[b] - this.total[a] || a - b);
    return {
      count: keys.length,
      key: Int32Array.from(keys, (k) => k - 1),
      self: Float64Array.from(keys, (k) => this.self[k]),
      total: Float64Array.from(keys, (k) => this.total[k]),
      bytes: bytes ? Float64Array.from(keys, (k) => bytes[k]) : new Float64Array(0),
    };
  }
}

export interface Groups { readonly func: GroupSums; readonly crate: GroupSums; readonly module: GroupSums }

/** Group sums of a top-down tree from its totals; self is total minus children, taken before rounding can show. */
export function groupSums(tree: BuiltTree, self: Float64Array, total: Float64Array, columns: GroupColumns): Groups {
  const { func, count } = tree.topology;
  const repeats = repeatsOf(tree, columns);
  const groups = { func: new GroupSums(columns.crate.length), crate: new GroupSums(columns.crates), module: new GroupSums(columns.modules) };
  for (let i = 1; i < count; i++) {
    if (total[i] === 0) continue;
    const f = func[i];
    const crate = f < 0 ? -1 : columns.crate[f];
    const module = f < 0 ? -1 : columns.module[f];
    groups.func.self[f + 1] += self[i];
    groups.crate.self[crate + 1] += self[i];
    groups.module.self[module + 1] += self[i];
    if (!(repeats[i] & REPEAT_FUNC)) groups.func.total[f + 1] += total[i];
    if (!(repeats[i] & REPEAT_CRATE)) groups.crate.total[crate + 1] += total[i];
    if (!(repeats[i] & REPEAT_MODULE)) groups.module.total[module + 1] += total[i];
  }
  return groups;
}
