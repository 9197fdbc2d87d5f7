// SPDX-License-Identifier: MIT
/** What the rules look at, summed once for a window. */
import type { FuncId, Insight, Metric, Severity, TimeWindow, Unit } from '../model/types';
import { PLAIN, type Engine } from '../view/engine';
import type { BuiltTree } from '../view/topology';
import { accumulate, groupSums, sumSelf, wholeSelf, type Groups } from '../view/values';

/** A metric of a window, in the plain top-down tree. */
export interface Summed {
  readonly metric: Metric;
  readonly tree: BuiltTree;
  readonly self: Float64Array;
  readonly total: Float64Array;
  readonly groups: Groups;
  /** Sum of everything; the root's total. */
  readonly sum: number;
}

export interface Facts {
  readonly engine: Engine;
  readonly window: TimeWindow | null;
  /** The metric that stands for time; null when there is none or too little of it to judge by. */
  readonly cpu: Summed | null;
  readonly offcpu: Summed | null;
  readonly allocBytes: Summed | null;
}

/** Fewer samples than this prove nothing. */
export const MIN_SAMPLES = 100;

export function gatherFacts(engine: Engine, window: TimeWindow | null): Facts {
  const metrics = engine.profile.metrics;
  const time = engine.metric('cpu') ?? metrics.find((m) => m.info.tree === 'stacks' && !m.info.signed && isTime(m.info.unit) && m.info.id !== 'offcpu') ?? metrics.find((m) => m.info.unit === 'samples') ?? null;
  const cpu = time ? sum(engine, time, window) : null;
  return {
    engine, window,
    cpu: cpu && samplesOf(engine, cpu) >= MIN_SAMPLES ? cpu : null,
    offcpu: optional(engine, 'offcpu', window),
    allocBytes: optional(engine, 'alloc_bytes', window),
  };
}

function isTime(unit: Unit): boolean {
  return unit === 'us' || unit === 'ns';
}

function optional(engine: Engine, id: string, window: TimeWindow | null): Summed | null {
  const metric = engine.metric(id);
  const summed = metric ? sum(engine, metric, window) : null;
  return summed && summed.sum > 0 ? summed : null;
}

export function sum(engine: Engine, metric: Metric, window: TimeWindow | null): Summed {
  const tree = engine.tree({ ...PLAIN, metric: metric.info.id }, 'top-down', null);
  const self = sumSelf(tree, metric, engine.source(metric.info.tree).count, engine.filter(metric, window, null, null)).value;
  const total = self.slice();
  accumulate(tree, total);
  return { metric, tree, self, total, groups: groupSums(tree, self, total, engine.groups), sum: total[0] };
}

/** How many samples an amount stands for; imports without a rate count what they have. */
function samplesOf(engine: Engine, s: Summed): number {
  const { unit } = s.metric.info;
  const hz = engine.profile.side.meta.stackRateHz || 997;
  return unit === 'us' ? (s.sum / 1e6) * hz : unit === 'ns' ? (s.sum / 1e9) * hz : s.sum;
}

/** Value under the outermost nodes whose function matches: each stack once. */
export function covered(s: Summed, matches: (func: FuncId) => boolean): { value: number; funcs: { func: FuncId; value: number }[] } {
  const { parent, func, count } = s.tree.topology;
  const inside = new Uint8Array(count);
  const known = new Uint8Array(s.groups.func.self.length); // by function + 1: 1 = no, 2 = yes
  const perFunc = new Map<FuncId, number>();
  let value = 0;
  for (let n = 1; n < count; n++) {
    if (inside[parent[n]]) {
      inside[n] = 1;
      continue;
    }
    const f = func[n];
    const total = s.total[n];
    if (total <= 0 || known[f + 1] === 1) continue;
    if (known[f + 1] === 0 && (known[f + 1] = f >= 0 && matches(f) ? 2 : 1) === 1) continue;
    inside[n] = 1;
    value += total;
    perFunc.set(f, (perFunc.get(f) ?? 0) + total);
  }
  return { value, funcs: [...perFunc].map(([func, v]) => ({ func, value: v })).sort((a, b) => b.value - a.value) };
}

/** Self in the functions that match. */
export function selfIn(s: Summed, matches: (func: FuncId) => boolean): { value: number; funcs: { func: FuncId; value: number }[] } {
  const funcs: { func: FuncId; value: number }[] = [];
  let value = 0;
  for (let f = 0; f < s.groups.func.self.length - 1; f++) {
    const self = s.groups.func.self[f + 1];
    if (self <= 0 || !matches(f)) continue;
    value += self;
    funcs.push({ func: f, value: self });
  }
  return { value, funcs: funcs.sort((a, b) => b.value - a.value) };
}

/** A lane cut into EIGHTHS: mean, least and most of each. */
export function eighths(values: Float64Array | undefined): { mean: number; min: number; max: number }[] | null {
  if (!values || values.length < 16) return null;
  const out = Array.from({ length: 8 }, (_, e) => {
    let total = 0;
    let count = 0;
    let min = Infinity;
    let max = -Infinity;
    for (let i = Math.floor((e * values.length) / 8); i < Math.floor(((e + 1) * values.length) / 8); i++) {
      const v = values[i];
      if (Number.isNaN(v)) continue;
      total += v;
      count++;
      min = Math.min(min, v);
      max = Math.max(max, v);
    }
    return { mean: count > 0 ? total / count : NaN, min, max };
  });
  return out.some((e) => Number.isNaN(e.mean)) ? null : out;
}

/** Net bytes of one recorded node per eighth of the session. */
export function netPerEighth(metric: Metric, nodes: ReadonlySet<number>): Map<number, Float64Array> {
  const out = new Map<number, Float64Array>();
  const rows = metric.rows;
  if (!rows) return out;
  const buckets = rows.start.length - 1;
  for (let b = 0; b < buckets; b++) {
    const eighth = Math.min(7, Math.floor((b * 8) / buckets));
    for (let r = rows.start[b]; r < rows.start[b + 1]; r++) {
      const node = rows.node[r];
      if (!nodes.has(node)) continue;
      let sums = out.get(node);
      if (!sums) out.set(node, (sums = new Float64Array(8)));
      sums[eighth] += rows.weight[r];
    }
  }
  return out;
}

export function heaviest(metric: Metric, nodes: number, limit: number): { node: number; value: number }[] {
  const whole = wholeSelf(metric, nodes);
  const list: { node: number; value: number }[] = [];
  for (let n = 0; n < whole.length; n++) if (whole[n] > 0) list.push({ node: n, value: whole[n] });
  return list.sort((a, b) => b.value - a.value).slice(0, limit);
}

/* ---- making an insight ---- */

export type Evidence = Insight['evidence'][number];

export function about(facts: Facts, func: FuncId, share: number, text?: string): Evidence {
  return { text: text ?? facts.engine.funcs.names[func] ?? '', func, window: facts.window, share };
}
export function note(text: string, window: TimeWindow | null = null): Evidence {
  return { text, func: -1, window, share: NaN };
}
export function insight(facts: Facts, rule: string, severity: Severity, parts: Pick<Insight, 'title' | 'why' | 'evidence' | 'advice' | 'threshold'> & { window?: TimeWindow | null }): Insight {
  return { rule, severity, ...parts, window: parts.window === undefined ? facts.window : parts.window };
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}
