// SPDX-License-Identifier: MIT
/** Collects what a parser finds and makes a Profile of it. Used by every format but RustScope's own, which has columns already. */
import { classifyAll } from '../text/classify';
import { showStray } from '../text/decode';
import { demangle } from '../text/demangle';
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
  readonly threaded: boolean;
  readonly atMs: FloatColumn;
  readonly durMs: FloatColumn; // of those that last: as long as atMs, or empty
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
  private opensOn = 0;

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

  /** Linkage names are made readable; those that read alike are one function. */
  func(spec: FuncSpec): number {
    const name = demangle(spec.name);
    const module = spec.module ?? '';
    const file = spec.file ?? '';
    // Parts are length-prefixed: no name can imitate a separator.
    const key = file || module ? `${module.length}:${file.length}:${module}${file}${name}` : `-${name}`;
    let id = this.funcIds.get(key);
    if (id === undefined) {
      id = this.funcName.push(this.string(showStray(name)));
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

  frameFunc(frame: number): number {
    return this.frames.parent.data[frame];
  }

  /** The name a frame shows. */
  frameName(frame: number): string {
    return this.strings[this.funcName.data[this.frameFunc(frame)]];
  }

  node(parent: number, frame: number): number {
    return this.nodes.child(parent, frame);
  }

  thread(name: string, process = -1, tid = 0): number {
    return this.threads.push({ process, tid, name: showStray(name), cpuMs: NaN, startMs: NaN, endMs: NaN }) - 1;
  }

  /** Without a NAME it gets that of its main thread when all threads are known. */
  process(name: string, pid: number): number {
    return this.processes.push({
      pid, parent: -1, name: showStray(name), exe: '', argv: [], startMs: NaN, endMs: NaN, cpuMs: NaN, rssPeakMb: NaN, heapPeakMb: NaN,
      allocBytes: NaN, allocCount: NaN, shimStatus: '', shimReason: '', exit: '',
    }) - 1;
  }

  /** TIMED: its values have a time; THREADED: they may have a thread. */
  metric(id: string, label: string, unit: Unit, timed: boolean, threaded = timed): number {
    return this.metrics.push({ id, label, unit, timed, threaded, atMs: new FloatColumn(16), durMs: new FloatColumn(16), node: new IntColumn(), thread: new IntColumn(16), weight: new FloatColumn() }) - 1;
  }

  /** The metric that is shown first; without a word it is the first one. */
  openOn(metric: number): void {
    this.opensOn = metric;
  }

  add(metric: number, node: number, weight: number, atMs = 0, thread = -1): void {
    const m = this.metrics[metric];
    m.node.push(node);
    m.weight.push(weight);
    if (m.timed) m.atMs.push(atMs);
    if (m.threaded) m.thread.push(thread);
  }

  /** A value that is spent evenly from FROM_MS to TO_MS. All values of such a metric are added this way. */
  addSpan(metric: number, node: number, weight: number, fromMs: number, toMs: number, thread = -1): void {
    this.add(metric, node, weight, fromMs, thread);
    this.metrics[metric].durMs.push(Math.max(0, toMs - fromMs));
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
      opensOn: this.metrics[this.opensOn]?.id ?? '',
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
        processes: this.processes.map((process, at) => (process.name ? process : { ...process, name: this.nameOfProcess(process.pid, at) })),
        threads: this.threads,
        diagnostics: { ...base.diagnostics, ...side.diagnostics, warnings: [...(side.diagnostics?.warnings ?? []), ...this.warnings] },
      },
    };
  }

  /** As its main thread is called, whose id is the process's; else as all of its threads are. The last name counts: exec changes it. */
  private nameOfProcess(pid: number, at: number): string {
    const threads = this.threads.filter((thread) => thread.process === at && thread.name !== '');
    const main = threads.filter((thread) => thread.tid === pid).pop();
    if (main) return main.name;
    return threads.length > 0 && threads.every((thread) => thread.name === threads[0].name) ? threads[0].name : `process ${pid}`;
  }

  private buildMetrics(nodes: number, durationMs: number | undefined): { metrics: Metric[]; span: number } {
    let last = durationMs ?? 0;
    for (const m of this.metrics) for (let i = 0; i < m.atMs.length; i++) {
      const end = m.atMs.data[i] + (i < m.durMs.length ? m.durMs.data[i] : 0);
      if (end > last) last = end;
    }
    const metrics = this.metrics.map((m): Metric => {
      let total = 0;
      let signed = false;
      for (let i = 0; i < m.weight.length; i++) {
        total += m.weight.data[i];
        if (m.weight.data[i] < 0) signed = true;
      }
      const threaded = m.timed || (m.threaded && m.thread.data.subarray(0, m.thread.length).some((thread) => thread >= 0));
      const info = { id: m.id, label: m.label, unit: m.unit, tree: 'stacks' as const, windowed: m.timed, threaded, total, signed };
      if (m.timed || threaded) return { info, rows: bucketed(m, m.timed ? last : 0), whole: null };
      const whole = new Float64Array(nodes);
      for (let i = 0; i < m.node.length; i++) whole[m.node.data[i]] += m.weight.data[i];
      return { info, rows: null, whole };
    });
    return { metrics, span: last };
  }
}

/** Rows in bucket order by a counting sort; within a bucket in the order of the file. A value that lasts has a row in each of its buckets. */
function bucketed(m: Samples, spanMs: number): BucketRows {
  let intervalMs = 10;
  while (spanMs / intervalMs >= MAX_BUCKETS) intervalMs *= 2;
  const buckets = Math.max(1, Math.floor(spanMs / intervalMs) + 1);
  const bucketAt = (ms: number): number => Math.min(buckets - 1, Math.max(0, Math.floor(ms / intervalMs)));
  const firstOf = (i: number): number => (m.timed ? bucketAt(m.atMs.data[i]) : 0);
  /** The bucket of the last moment: a span that ends where a bucket begins has nothing in it. */
  const lastOf = (i: number, first: number): number => {
    if (!(m.durMs.length > i && m.durMs.data[i] > 0)) return first;
    const end = m.atMs.data[i] + m.durMs.data[i];
    const bucket = bucketAt(end);
    return bucket > first && bucket * intervalMs >= end ? bucket - 1 : bucket;
  };
  const start = new Uint32Array(buckets + 1);
  for (let i = 0; i < m.node.length; i++) {
    const first = firstOf(i);
    const last = lastOf(i, first);
    for (let b = first; b <= last; b++) start[b + 1]++;
  }
  for (let b = 0; b < buckets; b++) start[b + 1] += start[b];
  const fill = start.slice(0, buckets);
  const count = start[buckets];
  const node = new Int32Array(count);
  const thread = new Int32Array(count);
  const weight = new Float64Array(count);
  for (let i = 0; i < m.node.length; i++) {
    const first = firstOf(i);
    const last = lastOf(i, first);
    let left = m.weight.data[i];
    for (let b = first; b <= last; b++) {
      const at = fill[b]++;
      const within = Math.min((b + 1) * intervalMs, m.atMs.data[i] + m.durMs.data[i]) - Math.max(b * intervalMs, m.atMs.data[i]);
      // The last bucket takes what is left, so that the parts are the whole.
      const part = b === last ? left : m.weight.data[i] * (within / m.durMs.data[i]);
      node[at] = m.node.data[i];
      thread[at] = m.threaded ? m.thread.data[i] : -1;
      weight[at] = part;
      left -= part;
    }
  }
  return { intervalMs, start, node, thread, weight };
}

/** A lane to brush over: the first timed metric, as CPU percent when it is time. */
function importedTimeline(metrics: readonly Metric[], spanMs: number): Timeline {
  const lanes: Timeline['lanes'] extends ReadonlyMap<string, infer C> ? Map<string, C> : never = new Map();
  const metric = metrics.find((m) => m.info.windowed);
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
