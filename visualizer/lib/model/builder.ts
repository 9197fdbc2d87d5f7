// SPDX-License-Identifier: MIT
/** Collects what a parser finds and makes a Profile of it. Used by every format but RustScope's own, which has columns already. */
import { classifyAll } from '../text/classify';
import { showStray } from '../text/decode';
import { ChildTable, FloatColumn, IntColumn } from './columns';
import { emptySide } from './side';
import type { BucketRows, FormatName, Metric, Profile, ProcessInfo, ProfileSide, ThreadInfo, Timeline, Unit } from './types';

/** Buckets of an imported timeline: a power of two times 10 ms, at most this many. */
const MAX_BUCKETS = 6000;

interface Samples {
  readonly label: string;
  readonly unit: Unit;
  readonly id: string;
  readonly timed: boolean;
  readonly atMs: FloatColumn;
  readonly node: IntColumn;
  readonly thread: IntColumn;
  readonly weight: FloatColumn;
}

export interface FuncSpec { readonly name: string; readonly module?: string; readonly file?: string; readonly line?: number }

export class ProfileBuilder {
  readonly threads: ThreadInfo[] = [];
  readonly processes: ProcessInfo[] = [];
  readonly warnings: string[] = [];
  private readonly strings: string[] = [];
  private readonly stringIds = new Map<string, number>();
  private readonly funcIds = new Map<string, number>();
  private readonly funcName = new IntColumn();
  private readonly funcModule = new IntColumn();
  private readonly funcFile = new IntColumn();
  private readonly funcLine = new IntColumn();
  private readonly moduleIds = new Map<string, number>();
  private readonly modulePath: string[] = [];
  private readonly frames = new ChildTable(); // (func, inlined + 2 × line): found by pair
  readonly nodes: ChildTable;
  private readonly metrics: Samples[] = [];

  constructor(private readonly format: FormatName, private readonly name: string, expectedNodes = 1024) {
    this.nodes = new ChildTable(expectedNodes);
  }

  string(text: string): number {
    let id = this.stringIds.get(text);
    if (id === undefined) {
      id = this.strings.length;
      this.strings.push(text);
      this.stringIds.set(text, id);
    }
    return id;
  }

  func(spec: FuncSpec): number {
    const module = spec.module ?? '';
    const file = spec.file ?? '';
    // Parts are length-prefixed: no name can imitate a separator.
    const key = file || module ? `${module.length}:${file.length}:${module}${file}${spec.name}` : `-${spec.name}`;
    let id = this.funcIds.get(key);
    if (id === undefined) {
      id = this.funcName.push(this.string(showStray(spec.name)));
      this.funcModule.push(module ? this.module(module) : -1);
      this.funcFile.push(file ? this.string(showStray(file)) : -1);
      this.funcLine.push(spec.line ?? 0);
      this.funcIds.set(key, id);
    }
    return id;
  }

  private module(path: string): number {
    let id = this.moduleIds.get(path);
    if (id === undefined) {
      id = this.modulePath.length;
      this.modulePath.push(path);
      this.moduleIds.set(path, id);
    }
    return id;
  }

  frame(func: number, inlined = false, line = 0): number {
    return this.frames.child(func, (inlined ? 1 : 0) + 2 * Math.min(line, 0x3fffffff));
  }

  /** A frame of a function that is only known by its name. */
  named(name: string): number {
    return this.frame(this.func({ name }));
  }

  /** The name a frame shows. */
  frameName(frame: number): string {
    return this.strings[this.funcName.data[this.frames.parent.data[frame]]];
  }

  node(parent: number, frame: number): number {
    return this.nodes.child(parent, frame);
  }

  thread(name: string, process = -1, tid = 0): number {
    return this.threads.push({ process, tid, name: showStray(name), cpuMs: NaN, startMs: NaN, endMs: NaN }) - 1;
  }

  process(name: string, pid: number): number {
    return this.processes.push({
      pid, parent: -1, name: showStray(name), exe: '', argv: [], startMs: NaN, endMs: NaN, cpuMs: NaN, rssPeakMb: NaN, heapPeakMb: NaN,
      allocBytes: NaN, allocCount: NaN, shimStatus: '', shimReason: '', exit: '',
    }) - 1;
  }

  metric(id: string, label: string, unit: Unit, timed: boolean): number {
    return this.metrics.push({ id, label, unit, timed, atMs: new FloatColumn(16), node: new IntColumn(), thread: new IntColumn(16), weight: new FloatColumn() }) - 1;
  }

  add(metric: number, node: number, weight: number, atMs = 0, thread = -1): void {
    const m = this.metrics[metric];
    m.node.push(node);
    m.weight.push(weight);
    if (m.timed) {
      m.atMs.push(atMs);
      m.thread.push(thread);
    }
  }

  /** Something has been counted. */
  get hasSamples(): boolean {
    return this.metrics.some((m) => m.node.length > 0);
  }

  finish(side: Partial<ProfileSide> & { durationMs?: number } = {}): Profile {
    const nodes = this.nodes.count;
    const funcs = this.funcName.length;
    const name = this.funcName.take();
    const module = this.funcModule.take();
    const origins = classifyAll(Array.from(name, (s) => this.strings[s]), Array.from(module, (m) => (m < 0 ? '' : this.modulePath[m])));
    const crate = Int32Array.from(origins, (o) => (o.crate ? this.string(o.crate) : -1));
    const frameFunc = this.frames.parent.take();
    const frameKey = this.frames.key.take();
    const { metrics, span } = this.buildMetrics(nodes, side.durationMs);
    const base = emptySide(this.name);
    return {
      format: this.format,
      name: this.name,
      strings: this.strings,
      funcs: { count: funcs, name, module, crate, file: this.funcFile.take(), line: this.funcLine.take(), layer: Uint8Array.from(origins, (o) => o.layer) },
      modules: {
        count: this.modulePath.length,
        path: Int32Array.from(this.modulePath, (p) => this.string(showStray(p))),
        name: Int32Array.from(this.modulePath, (p) => this.string(showStray(p.slice(p.lastIndexOf('/') + 1) || p))),
        buildId: new Int32Array(this.modulePath.length).fill(-1),
        symbols: new Uint8Array(this.modulePath.length).fill(4),
      },
      frames: {
        count: frameFunc.length,
        func: frameFunc,
        line: frameKey.map((k) => k >> 1),
        addr: new Float64Array(frameFunc.length).fill(NaN),
        inlined: Uint8Array.from(frameKey, (k) => k & 1),
      },
      stacks: { count: nodes, parent: this.nodes.parent.take(), frame: this.nodes.key.take(), merged: frameFunc.length === funcs },
      scopes: null,
      metrics,
      side: {
        ...base,
        timeline: importedTimeline(metrics, span),
        ...side,
        meta: { ...base.meta, durationMs: span, ...side.meta },
        processes: this.processes,
        threads: this.threads,
        diagnostics: { ...base.diagnostics, ...side.diagnostics, warnings: [...(side.diagnostics?.warnings ?? []), ...this.warnings] },
      },
    };
  }

  private buildMetrics(nodes: number, durationMs: number | undefined): { metrics: Metric[]; span: number } {
    let last = durationMs ?? 0;
    for (const m of this.metrics) if (m.timed) for (let i = 0; i < m.atMs.length; i++) if (m.atMs.data[i] > last) last = m.atMs.data[i];
    const metrics = this.metrics.map((m): Metric => {
      let total = 0;
      let signed = false;
      for (let i = 0; i < m.weight.length; i++) {
        total += m.weight.data[i];
        if (m.weight.data[i] < 0) signed = true;
      }
      const info = { id: m.id, label: m.label, unit: m.unit, tree: 'stacks' as const, windowed: m.timed, threaded: m.timed, total, signed };
      if (m.timed) return { info, rows: bucketed(m, last), whole: null };
      const whole = new Float64Array(nodes);
      for (let i = 0; i < m.node.length; i++) whole[m.node.data[i]] += m.weight.data[i];
      return { info, rows: null, whole };
    });
    return { metrics, span: last };
  }
}

/** Rows in bucket order by a counting sort; within a bucket in the order of the file. */
function bucketed(m: Samples, spanMs: number): BucketRows {
  let intervalMs = 10;
  while (spanMs / intervalMs >= MAX_BUCKETS) intervalMs *= 2;
  const buckets = Math.max(1, Math.floor(spanMs / intervalMs) + 1);
  const bucketOf = (i: number): number => Math.min(buckets - 1, Math.max(0, Math.floor(m.atMs.data[i] / intervalMs)));
  const count = m.node.length;
  const start = new Uint32Array(buckets + 1);
  for (let i = 0; i < count; i++) start[bucketOf(i) + 1]++;
  for (let b = 0; b < buckets; b++) start[b + 1] += start[b];
  const fill = start.slice(0, buckets);
  const node = new Int32Array(count);
  const thread = new Int32Array(count);
  const weight = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const at = fill[bucketOf(i)]++;
    node[at] = m.node.data[i];
    thread[at] = m.thread.data[i];
    weight[at] = m.weight.data[i];
  }
  return { intervalMs, start, node, thread, weight };
}

/** A lane to brush over: the first timed metric, as CPU percent when it is time. */
function importedTimeline(metrics: readonly Metric[], spanMs: number): Timeline {
  const lanes: Timeline['lanes'] extends ReadonlyMap<string, infer C> ? Map<string, C> : never = new Map();
  const metric = metrics.find((m) => m.rows);
  const rows = metric?.rows;
  if (!metric || !rows) return { intervalMs: 0, points: 0, lanes, counters: new Map() };
  const group = Math.max(1, Math.ceil((rows.start.length - 1) / 1000));
  const intervalMs = rows.intervalMs * group;
  const points = Math.ceil((rows.start.length - 1) / group);
  const values = new Float64Array(points);
  for (let p = 0; p < points; p++) {
    const to = rows.start[Math.min((p + 1) * group, rows.start.length - 1)];
    for (let r = rows.start[p * group]; r < to; r++) values[p] += rows.weight[r];
  }
  const timeUnit = metric.info.unit === 'us' ? 1e3 : metric.info.unit === 'ns' ? 1e6 : 0;
  if (timeUnit > 0 && spanMs > 0) {
    for (let p = 0; p < points; p++) values[p] *= 100 / timeUnit / intervalMs;
    lanes.set('cpu_pct', { label: metric.info.label, unit: 'pct', values });
  } else lanes.set(metric.info.id, { label: metric.info.label, unit: 'value', values });
  return { intervalMs, points, lanes, counters: new Map() };
}
