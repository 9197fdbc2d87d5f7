// SPDX-License-Identifier: MIT
/**
 * RustScope's own session JSON (docs/session.schema.json, schema_version 4) into the model.
 *
 * Unknown sections are ignored, missing ones are "not recorded". What the views index with is checked here once
 * (lengths, ids, parents before children), so that no loop behind needs to.
 */
import { IntColumn } from '../model/columns';
import { EMPTY_META, EMPTY_SUMMARY, emptySide } from '../model/side';
import {
  LAYER_ALLOC, LAYER_UNKNOWN, LAYERS, SYMBOL_KINDS, type BucketRows, type Column, type FrameTable, type FunctionStats, type FuncTable, type Leak, type MemorySide, type Meta, type Metric, type MetricInfo,
  type ModuleTable, type ProcessTimeline, type Profile, type ProfileSide, type RankedName, type ScopeStats, type Summary, type Timeline, type TimelineEvent, type TimingNs, type TreeTable,
} from '../model/types';
import { showStray } from '../text/decode';
import { InputError, type Work } from './input';
import { asList, asNumber, asNumbers, asObject, asText, JsonReader, type Json, type JsonObject } from './json';

const SCHEMA_VERSION = 4;

function damaged(what: string): InputError {
  return new InputError(`The session is damaged: ${what}; copy the file again, or record again.`);
}

export async function parseSession(bytes: Uint8Array, fileName: string, work: Work): Promise<Profile> {
  work.enter('parsing');
  const functions: JsonObject[] = [];
  const ignore = (): void => undefined;
  const root = await new JsonReader(bytes).object(work, { each: new Map<string, (element: Json) => void>([
    ['functions', (element) => functions.push(asObject(element))],
    ['samples', ignore], // the timeline says the same, finer
    ['hotspot_snapshots', ignore], // any window is summed from the rows
  ]) });
  const version = asNumber(root.get('schema_version'));
  if (version > SCHEMA_VERSION) throw new InputError(`The session has schema_version ${version}, this visualizer reads ${SCHEMA_VERSION}; open it with the RustScope that recorded it (rustscope view), or update.`);
  if (version !== SCHEMA_VERSION) throw new InputError(`The session has ${Number.isNaN(version) ? 'no schema_version' : `schema_version ${version}`}, this visualizer reads ${SCHEMA_VERSION}; record it again with this RustScope.`);
  work.enter('merging');
  return new SessionReader(root, functions, fileName).profile();
}

class SessionReader {
  private readonly strings: string[];
  private readonly startTs: number;
  private readonly durationMs: number;
  private readonly processCount: number;
  private readonly threadCount: number;

  constructor(private readonly root: JsonObject, private readonly functions: readonly JsonObject[], private readonly fileName: string) {
    this.strings = asList(root.get('strings')).map((s) => showStray(asText(s)));
    const meta = asObject(root.get('meta'));
    this.startTs = asNumber(meta.get('start_ts'), 0);
    this.durationMs = Math.max(0, asNumber(meta.get('duration_sec'), 0) * 1000);
    this.processCount = asList(root.get('processes')).length;
    this.threadCount = asList(root.get('threads')).length;
  }

  private section(name: string): JsonObject {
    return asObject(this.root.get(name));
  }
  private sinceStart(ts: Json | undefined): number {
    return asNumber(ts) - this.startTs;
  }
  private intern(text: string): number {
    this.strings.push(text);
    return this.strings.length - 1;
  }

  profile(): Profile {
    const modules = this.modules();
    const { frames, funcs } = this.frames(modules);
    const stacks = this.tree('nodes', frames);
    const scopes = this.scopes(funcs, frames);
    const metrics = [...this.metrics(stacks.count), ...scopes.metrics];
    const side = this.side(scopes.funcs, stacks, scopes.stats, scopes.nameOf);
    if (side.memory) nameLeaks(side.memory.leaks, this.strings, scopes.funcs, scopes.frames, stacks);
    const title = side.meta.sessionName || basename(side.meta.target) || side.meta.project || this.fileName;
    return { format: 'rustscope', name: title, opensOn: metrics[0]?.info.id ?? '', strings: this.strings, funcs: scopes.funcs, modules, frames: scopes.frames, stacks, scopes: scopes.tree, metrics, side };
  }

  /** An index column as integers; `allowed` and above, or below -1, is damage. */
  private indexes(json: Json | undefined, allowed: number, what: string): Int32Array {
    const numbers = asNumbers(json);
    const out = new Int32Array(numbers.length);
    for (let i = 0; i < numbers.length; i++) {
      const value = numbers[i];
      if (!(value >= -1 && value < allowed) || value !== Math.floor(value)) throw damaged(`${what}[${i}] is ${Number.isNaN(value) ? 'not a number' : value}, outside the ${allowed} there are`);
      out[i] = value;
    }
    return out;
  }

  private stringIds(json: Json | undefined, count: number, what: string): Int32Array {
    const ids = this.indexes(json, this.strings.length, what);
    if (ids.length === 0) return new Int32Array(count).fill(-1);
    sameLength(ids.length, count, what);
    // String 0 is "" and means "none".
    for (let i = 0; i < ids.length; i++) if (ids[i] >= 0 && this.strings[ids[i]] === '') ids[i] = -1;
    return ids;
  }

  private modules(): ModuleTable {
    const section = this.section('modules');
    const path = this.indexes(section.get('path'), this.strings.length, 'modules.path');
    const count = path.length;
    const kinds = asList(section.get('symbols'));
    return {
      count,
      path,
      name: this.stringIds(section.get('name'), count, 'modules.name'),
      buildId: this.stringIds(section.get('build_id'), count, 'modules.build_id'),
      symbols: Uint8Array.from({ length: count }, (_, m) => Math.max(0, SYMBOL_KINDS.indexOf(asText(kinds[m], 'unknown') as (typeof SYMBOL_KINDS)[number]))),
    };
  }

  private frames(modules: ModuleTable): { frames: FrameTable; funcs: FuncTable } {
    const section = this.section('frames');
    const name = this.indexes(section.get('func'), this.strings.length, 'frames.func');
    const count = name.length;
    const object = this.indexes(section.get('object'), modules.count, 'frames.object');
    const addr = asNumbers(section.get('addr'));
    sameLength(object.length, count, 'frames.object');
    const crate = this.stringIds(section.get('crate'), count, 'frames.crate');
    const file = this.stringIds(section.get('file'), count, 'frames.file');
    const line = asNumbers(section.get('line'));
    const inlined = asNumbers(section.get('inlined'));
    const layers = asList(section.get('layer'));

    const func = new Int32Array(count);
    const table = { name: new IntColumn(), module: new IntColumn(), crate: new IntColumn(), file: new IntColumn(), line: new IntColumn(), layer: new IntColumn() };
    const known = new Map<string, number>();
    for (let f = 0; f < count; f++) {
      const text = name[f] >= 0 ? this.strings[name[f]] : '';
      const unknown = text === '';
      // Module and crate are part of the identity: two libraries may both have an `init`.
      const key = unknown ? `?${object[f]}:${addr[f]}` : `${name[f]}:${object[f]}:${crate[f]}`;
      let id = known.get(key);
      if (id === undefined) {
        id = table.name.push(unknown ? this.intern(addressName(addr[f], object[f] >= 0 ? this.strings[modules.name[object[f]]] ?? '' : '')) : name[f]);
        table.module.push(object[f]);
        table.crate.push(crate[f]);
        table.file.push(file[f]);
        table.line.push(line[f] > 0 ? line[f] : 0);
        table.layer.push(layerId(layers[f]));
        known.set(key, id);
      }
      func[f] = id;
    }
    return {
      frames: {
        count, func,
        line: Int32Array.from({ length: count }, (_, f) => (line[f] > 0 ? line[f] : 0)),
        addr: Float64Array.from({ length: count }, (_, f) => addr[f] ?? NaN),
        inlined: Uint8Array.from({ length: count }, (_, f) => (inlined[f] > 0 ? 1 : 0)),
      },
      funcs: {
        count: table.name.length, name: table.name.take(), module: table.module.take(), crate: table.crate.take(), file: table.file.take(), line: table.line.take(),
        layer: Uint8Array.from(table.layer.take()),
      },
    };
  }

  private tree(name: string, frames: FrameTable): TreeTable {
    const section = this.section(name);
    const frame = this.indexes(section.get('frame'), frames.count, `${name}.frame`);
    const parent = this.indexes(section.get('parent'), frame.length, `${name}.parent`);
    sameLength(parent.length, frame.length, `${name}.parent`);
    parentsFirst(parent, name);
    return { count: frame.length, parent, frame, merged: false };
  }

  /** Rows of a CSR section; null when it is absent or empty. */
  private rows(name: string, nodes: number, valueKey: string): BucketRows | null {
    const section = this.section(name);
    const node = this.indexes(section.get('node'), nodes, `${name}.node`);
    if (node.length === 0) return null;
    const values = asNumbers(section.get(valueKey));
    if (values.length === 0) return null;
    sameLength(values.length, node.length, `${name}.${valueKey}`);
    const thread = this.indexes(section.get('thread'), Math.max(this.threadCount, 0), `${name}.thread`);
    if (thread.length > 0) sameLength(thread.length, node.length, `${name}.thread`);
    return {
      intervalMs: interval(section, name),
      start: starts(section, node.length, name),
      node,
      thread: thread.length > 0 ? thread : new Int32Array(node.length).fill(-1),
      weight: values.map(finite),
    };
  }

  private metrics(nodes: number): Metric[] {
    const out: Metric[] = [];
    const add = (id: string, label: string, unit: MetricInfo['unit'], rows: BucketRows | null, whole: Float64Array | null): void => {
      if (!rows && !whole) return;
      const values = whole ?? rows!.weight;
      const threaded = rows !== null && rows.thread.some((t) => t >= 0);
      let total = 0;
      for (const v of values) total += v;
      if (!rows && total === 0) return;
      const signed = (rows?.weight.some((w) => w < 0) ?? false) || values.some((v) => v < 0);
      out.push({ info: { id, label, unit, tree: 'stacks', windowed: rows !== null, threaded, total, signed }, rows, whole });
    };
    add('cpu', 'CPU time', 'us', this.rows('cpu', nodes, 'weight_us'), null);
    add('offcpu', 'Off-CPU time', 'us', this.rows('offcpu', nodes, 'wait_us'), null);
    const column = (key: string): Float64Array | null => this.perNode(key, nodes);
    add('alloc_bytes', 'Bytes allocated', 'bytes', this.rows('alloc_buckets', nodes, 'bytes'), column('bytes'));
    add('net_bytes', 'Net bytes', 'bytes', this.rows('alloc_buckets', nodes, 'net_bytes'), null);
    add('alloc_count', 'Allocations', 'count', this.rows('alloc_buckets', nodes, 'count'), column('count'));
    add('peak_bytes', 'Peak', 'bytes', null, column('peak_bytes'));
    add('leaked_bytes', 'Leaked bytes', 'bytes', null, column('leaked_bytes'));
    add('leaked_count', 'Leaked blocks', 'count', null, column('leaked_count'));
    add('temporary', 'Temporary allocations', 'count', null, column('temporary'));
    return out;
  }

  private perNode(key: string, nodes: number): Float64Array | null {
    const section = this.section('allocations');
    const node = this.indexes(section.get('node'), nodes, 'allocations.node');
    const values = asNumbers(section.get(key));
    if (node.length === 0 || values.length === 0) return null;
    sameLength(values.length, node.length, `allocations.${key}`);
    const whole = new Float64Array(nodes);
    for (let i = 0; i < node.length; i++) if (node[i] >= 0) whole[node[i]] += finite(values[i]);
    return whole;
  }

  /** The instrumented call tree; scopes that were also sampled share nothing but their names, so each gets a function of its own. */
  private scopes(funcs: FuncTable, frames: FrameTable): { tree: TreeTable | null; funcs: FuncTable; frames: FrameTable; metrics: Metric[]; stats: ScopeStats[]; nameOf: ReadonlyMap<string, number> } {
    const byName = new Map<string, number>();
    for (let f = funcs.count - 1; f >= 0; f--) byName.set(this.strings[funcs.name[f]], f);
    const section = this.section('scopes');
    const names = asList(section.get('name'));
    const count = names.length;
    if (count === 0) return { tree: null, funcs, frames, metrics: [], stats: [], nameOf: byName };
    const parent = this.indexes(section.get('parent'), count, 'scopes.parent');
    sameLength(parent.length, count, 'scopes.parent');
    parentsFirst(parent, 'scopes');

    const file = asList(section.get('file'));
    const line = asNumbers(section.get('line'));
    const text = (json: Json | undefined): string => (typeof json === 'number' ? this.strings[json] ?? '' : showStray(asText(json)));
    const extra: { name: number; file: number; line: number }[] = [];
    const funcOf = Int32Array.from(names, (json, n) => {
      const name = text(json) || '(unnamed)';
      let id = byName.get(name);
      if (id === undefined) {
        id = funcs.count + extra.length;
        byName.set(name, id);
        const fileName = text(file[n]);
        extra.push({ name: this.intern(name), file: fileName ? this.intern(fileName) : -1, line: line[n] > 0 ? line[n] : 0 });
      }
      return id;
    });
    const widened = widenFuncs(funcs, extra);
    const first = frames.count;
    const all: FrameTable = {
      count: first + count,
      func: concatInts(frames.func, funcOf),
      line: concatInts(frames.line, new Int32Array(count)),
      addr: Float64Array.from({ length: first + count }, (_, f) => (f < first ? frames.addr[f] : NaN)),
      inlined: Uint8Array.from({ length: first + count }, (_, f) => (f < first ? frames.inlined[f] : 0)),
    };
    const tree: TreeTable = { count, parent, frame: Int32Array.from({ length: count }, (_, n) => first + n), merged: false };
    const column = (key: string): Float64Array => {
      const values = asNumbers(section.get(key));
      if (values.length > 0) sameLength(values.length, count, `scopes.${key}`);
      return values.length > 0 ? values : new Float64Array(count).fill(NaN);
    };
    const columns = {
      calls: column('calls'), total: column('total_ns'), self: column('self_ns'), min: column('min_ns'), max: column('max_ns'), mean: column('mean_ns'), stddev: column('stddev_ns'),
      p50: column('p50_ns'), p95: column('p95_ns'), p99: column('p99_ns'), depth: column('max_depth'), bytes: column('alloc_bytes'), allocs: column('alloc_count'), outliers: column('outlier_count'),
      budget: column('budget_ns'), violations: column('budget_violations'),
    };
    const self = columns.self.map((v) => (v > 0 ? v : 0));
    let total = 0;
    for (const v of self) total += v;
    const metrics: Metric[] = total > 0
      ? [{ info: { id: 'scopes', label: 'Instrumented scopes', unit: 'ns', tree: 'scopes', windowed: false, threaded: false, total, signed: false }, rows: null, whole: self }] : [];
    const stats = Array.from({ length: count }, (_, n): ScopeStats => ({
      node: n, func: funcOf[n], calls: finite(columns.calls[n]),
      timing: {
        total: columns.total[n], self: columns.self[n], min: columns.min[n], max: columns.max[n], mean: columns.mean[n], stddev: columns.stddev[n],
        p50: columns.p50[n], p95: columns.p95[n], p99: columns.p99[n],
      },
      maxDepth: columns.depth[n], allocBytes: columns.bytes[n], allocCount: columns.allocs[n], outlierCount: finite(columns.outliers[n]),
      budgetNs: columns.budget[n], budgetViolations: finite(columns.violations[n]),
    }));
    return { tree, funcs: widened, frames: all, metrics, stats, nameOf: byName };
  }

  private side(funcs: FuncTable, stacks: TreeTable, scopeStats: ScopeStats[], nameOf: ReadonlyMap<string, number>): ProfileSide {
    const base = emptySide(this.fileName);
    const ranked = (json: Json | undefined, unit: RankedName['unit'], key: string): RankedName[] =>
      asList(json).map((item) => {
        const o = asObject(item);
        const node = asNumber(o.get('node'), -1);
        const name = showStray(asText(o.get('name')) || asText(o.get('path')));
        return { name, value: asNumber(o.get(key)), unit, func: nameOf.get(name) ?? -1, node: node >= 0 && node < stacks.count ? node : -1 };
      });
    const events = asList(this.root.get('memory_events')).map((item): TimelineEvent => {
      const o = asObject(item);
      const startMs = this.sinceStart(o.get('ts'));
      const endMs = this.sinceStart(o.get('end_ts'));
      return {
        type: asText(o.get('type'), 'event'), startMs, endMs: endMs >= startMs ? endMs : startMs, process: this.process(o.get('process')),
        sizeBytes: asNumber(o.get('size_bytes')), peak: asNumber(o.get('peak')), text: showStray(asText(o.get('location'))),
        topFunctions: ranked(o.get('top_functions'), 'pct', 'pct'), topAllocations: ranked(o.get('top_allocations'), 'bytes', 'bytes'),
      };
    }).filter((e) => Number.isFinite(e.startMs));
    return {
      ...base,
      meta: this.meta(), summary: this.summary(), timeline: this.timeline(), processTimeline: this.processTimeline(), events,
      processes: asList(this.root.get('processes')).map((item) => this.processInfo(asObject(item))),
      threads: asList(this.root.get('threads')).map((item) => {
        const o = asObject(item);
        return { process: this.process(o.get('process')), tid: asNumber(o.get('tid'), 0), name: showStray(asText(o.get('name'))), cpuMs: asNumber(o.get('cpu_ms')), startMs: this.sinceStart(o.get('start_ts')), endMs: this.sinceStart(o.get('end_ts')) };
      }),
      functions: this.functionStats(funcs, nameOf),
      memory: this.memory(stacks.count),
      scopeStats,
      outliers: asList(this.root.get('outliers')).map((item) => {
        const o = asObject(item);
        const name = this.text(o.get('name'));
        return { name, func: nameOf.get(name) ?? -1, atMs: this.sinceStart(o.get('ts')), durationNs: asNumber(o.get('duration_ns')), thread: -1, sigma: asNumber(o.get('sigma')) };
      }),
      budgetViolations: asList(this.root.get('budget_violations')).map((item) => {
        const o = asObject(item);
        return { name: this.text(o.get('name')), atMs: this.sinceStart(o.get('worst_ts')), durationNs: asNumber(o.get('worst_ns')), budgetNs: asNumber(o.get('budget_ns')), count: asNumber(o.get('count'), 1) };
      }),
      asyncTasks: asList(this.root.get('async_tasks')).map((item) => {
        const o = asObject(item);
        const n = (key: string): number => asNumber(o.get(key));
        return {
          name: this.text(o.get('name')), process: this.process(o.get('process')), started: n('started'), completed: n('completed'), cancelled: n('cancelled'), polls: n('polls'), busyNs: n('busy_ns'),
          idleNs: n('idle_ns'), scheduledNs: n('scheduled_ns'), firstPollDelayNs: n('first_poll_delay_ns'), maxPollNs: n('max_poll_ns'), lifetimeNs: n('lifetime_ns'),
        };
      }),
      benchmarks: asList(this.root.get('benchmarks')).map((item) => benchmark(asObject(item), this.text(asObject(item).get('name')))),
      diagnostics: this.diagnostics(),
    };
  }

  /** A name that may be spelled out or an index into strings. */
  private text(json: Json | undefined): string {
    return typeof json === 'number' ? this.strings[json] ?? '' : showStray(asText(json));
  }

  private process(json: Json | undefined): number {
    const index = asNumber(json, -1);
    return index >= 0 && index < this.processCount ? index : -1;
  }

  private meta(): Meta {
    const m = this.section('meta');
    const generator = this.section('generator');
    const signal = asNumber(m.get('exit_signal'));
    const code = asNumber(m.get('exit_code'));
    return {
      ...EMPTY_META,
      project: showStray(asText(m.get('project'))), target: showStray(asText(m.get('target_binary'))), argv: texts(m.get('argv')), cwd: showStray(asText(m.get('cwd'))), pid: asNumber(m.get('pid'), 0),
      startTs: this.startTs, durationMs: this.durationMs, hostOs: asText(m.get('host_os')), hostArch: asText(m.get('host_arch')), kernel: asText(m.get('host_kernel')),
      cpuModel: asText(m.get('cpu_model')), cpuCores: asNumber(m.get('cpu_cores'), 0), rateHz: asNumber(m.get('rate_hz'), 0), stackRateHz: asNumber(m.get('stack_rate_hz'), 0),
      stopReason: asText(m.get('stop_reason')), exit: !Number.isNaN(signal) ? `signal ${signal}` : !Number.isNaN(code) ? String(code) : '',
      sessionName: showStray(asText(m.get('name'))), tags: texts(m.get('tags')),
      labels: Array.from(asObject(m.get('labels')), ([key, value]) => [showStray(key), showStray(asText(value))] as const),
      generator: `${asText(generator.get('name'))} ${asText(generator.get('version'))}`.trim(), rustscopeVersion: asText(m.get('rustscope_version')),
    };
  }

  private summary(): Summary {
    const s = this.section('summary');
    const n = (key: string): number => asNumber(s.get(key));
    return {
      ...EMPTY_SUMMARY,
      cpuAvgPct: n('cpu_avg_pct'), cpuPeakPct: n('cpu_peak_pct'), cpuMs: n('cpu_ms'), heapAvgMb: n('heap_avg_mb'), heapPeakMb: n('heap_peak_mb'), heapSource: asText(s.get('heap_source')),
      anonPeakMb: n('anon_peak_mb'), rssPeakMb: n('rss_peak_mb'), threadAvg: n('thread_avg'), threadPeak: n('thread_peak'), fdPeak: n('fd_peak'), totalAllocations: n('total_allocations'),
      totalDeallocations: n('total_deallocations'), totalAllocBytes: n('total_alloc_bytes'), temporaryAllocations: n('temporary_allocations'), leakedBytes: n('leaked_bytes'),
      leakedAllocations: n('leaked_allocations'), spikes: n('spikes'),
    };
  }

  private timeline(): Timeline {
    const section = this.section('timeline');
    const lanes = new Map<string, Column>();
    let points = 0;
    for (const lane of LANES) {
      const values = asNumbers(section.get(lane.id));
      if (values.length === 0 || values.every(Number.isNaN)) continue;
      lanes.set(lane.id, { label: lane.label, unit: lane.unit, values });
      points = Math.max(points, values.length);
    }
    // Nothing is measured after the end.
    const intervalMs = points > 0 ? interval(section, 'timeline') : 0;
    if (this.durationMs > 0 && intervalMs > 0) points = Math.min(points, Math.ceil(this.durationMs / intervalMs) + 1);
    for (const [id, lane] of lanes) if (lane.values.length > points) lanes.set(id, { ...lane, values: lane.values.slice(0, points) });
    // A tick that was missed is a gap at the end, never a shorter axis.
    for (const [id, lane] of lanes) if (lane.values.length < points) {
      const padded = new Float64Array(points).fill(NaN);
      padded.set(lane.values);
      lanes.set(id, { ...lane, values: padded });
    }
    const counters = new Map<string, Column>();
    for (const [name, json] of asObject(section.get('counters'))) {
      const values = json instanceof Map ? resampled(asNumbers(json.get('value')), asNumber(json.get('interval_ms'), intervalMs), intervalMs, points) : asNumbers(json);
      if (values.length > 0) counters.set(showStray(name), { label: showStray(name), unit: 'value', values });
    }
    return { intervalMs, points, lanes, counters };
  }

  private processTimeline(): ProcessTimeline | null {
    const section = this.section('process_timeline');
    const process = this.indexes(section.get('process'), this.processCount, 'process_timeline.process');
    if (process.length === 0) return null;
    const column = (key: string): Float64Array => {
      const values = asNumbers(section.get(key));
      return values.length === process.length ? values : new Float64Array(process.length).fill(NaN);
    };
    return { intervalMs: interval(section, 'process_timeline'), start: starts(section, process.length, 'process_timeline'), process, cpuPct: column('cpu_pct'), anonMb: column('anon_mb'), heapMb: column('heap_mb') };
  }

  private processInfo(o: JsonObject): ProfileSide['processes'][number] {
    const shim = asObject(o.get('shim'));
    const exit = asNumber(o.get('exit'));
    return {
      pid: asNumber(o.get('pid'), 0), parent: this.process(o.get('parent')), name: showStray(asText(o.get('name'))) || basename(showStray(asText(o.get('exe')))), exe: showStray(asText(o.get('exe'))),
      argv: texts(o.get('argv')), startMs: asNumber(o.get('start_ns')) / 1e6, endMs: this.sinceStart(o.get('end_ts')), cpuMs: asNumber(o.get('cpu_ms')), rssPeakMb: asNumber(o.get('rss_peak_mb')), heapPeakMb: asNumber(o.get('heap_peak_mb')),
      allocBytes: asNumber(o.get('alloc_bytes')), allocCount: asNumber(o.get('allocations')), shimStatus: asText(shim.get('status')), shimReason: showStray(asText(shim.get('reason'))),
      exit: Number.isNaN(exit) ? '' : exitText(exit),
    };
  }

  private functionStats(funcs: FuncTable, nameOf: ReadonlyMap<string, number>): FunctionStats[] {
    const out: FunctionStats[] = [];
    const byPlace = new Map<string, number>();
    for (let f = funcs.count - 1; f >= 0; f--) byPlace.set(`${this.strings[funcs.name[f]]}\n${funcs.crate[f] >= 0 ? this.strings[funcs.crate[f]] : ''}`, f);
    for (const o of this.functions) {
      const name = showStray(asText(o.get('name')));
      const func = byPlace.get(`${name}\n${showStray(asText(o.get('module')))}`) ?? nameOf.get(name) ?? -1;
      const memory = asObject(o.get('memory'));
      const n = (key: string): number => asNumber(o.get(key));
      const line = n('line');
      // Where the function itself begins, not the line that was running first.
      if (func >= 0 && line > 0) funcs.line[func] = line;
      const source = asText(o.get('source'));
      out.push({
        func, selfPct: n('self_pct'), totalPct: n('total_pct'), selfSamples: n('self_samples'), totalSamples: n('total_samples'), calls: n('calls'), avgNs: n('avg_ns'),
        timing: o.has('timing') ? timing(asObject(o.get('timing'))) : null, outlierCount: asNumber(o.get('outlier_count'), 0),
        allocBytes: asNumber(memory.get('alloc_bytes')), allocCount: asNumber(memory.get('alloc_count')), leakedBytes: asNumber(memory.get('leaked_bytes')), peakBytes: asNumber(memory.get('peak_bytes')),
        maxDepth: n('max_depth'), source: source === 'instrumented' || source === 'both' ? source : 'sampled',
      });
    }
    return out;
  }

  private memory(nodes: number): MemorySide | null {
    const section = this.section('allocations');
    if (section.get('measured') === false || section.size === 0) return null;
    const node = this.indexes(section.get('node'), nodes, 'allocations.node');
    const p50 = asNumbers(section.get('lifetime_p50_us'));
    const peak = asObject(section.get('peak'));
    const bySize = Array.from(asObject(section.get('by_size')), ([label, json]) => ({
      label, count: json instanceof Map ? asNumber(json.get('count'), 0) : asNumber(json, 0), bytes: json instanceof Map ? asNumber(json.get('bytes')) : NaN,
    }));
    const lifetimes = Array.from(asNumbers(section.get('lifetimes')), (count, i) => ({ label: lifetimeLabel(i), count: finite(count) }));
    while (lifetimes.length > 0 && lifetimes[lifetimes.length - 1].count === 0) lifetimes.pop();
    const leaks = asList(this.root.get('leaks')).map((item): Leak => {
      const o = asObject(item);
      const at = asNumber(o.get('node'), -1);
      return {
        bytes: asNumber(o.get('bytes'), 0), count: asNumber(o.get('count'), 0), node: at >= 0 && at < nodes ? at : -1,
        firstMs: this.sinceStart(o.get('first_ts')), lastMs: this.sinceStart(o.get('last_ts')), process: this.process(o.get('process')), name: '',
      };
    });
    return {
      bySize, peakMs: this.sinceStart(peak.get('ts')), peakBytes: asNumber(peak.get('bytes')), lifetimes, node,
      lifetimeP50Us: p50.length === node.length ? p50 : new Float64Array(node.length).fill(NaN), leaks,
    };
  }

  private diagnostics(): ProfileSide['diagnostics'] {
    const d = this.section('diagnostics');
    const n = (key: string): number => asNumber(d.get(key));
    return {
      stackBackend: asText(d.get('stack_backend')), stackRateAchievedHz: n('stack_rate_achieved_hz'), stackSamples: n('stack_samples'), stackLost: asNumber(d.get('stack_lost'), 0),
      stacksTruncated: asNumber(d.get('stacks_truncated'), 0), unknownSymbols: n('unknown_symbols'), overheadPct: n('overhead_pct'), allocBackend: asText(d.get('alloc_backend')),
      eventsReceived: n('events_received'), eventsDropped: asNumber(d.get('events_dropped'), 0),
      folded: Array.from(asObject(d.get('folded')), ([what, count]) => [what, asNumber(count, 0)] as const).filter(([, count]) => count > 0),
      warnings: texts(d.get('warnings')), optimised: typeof d.get('optimised') === 'boolean' ? (d.get('optimised') as boolean) : null,
    };
  }
}

const LANES: readonly { id: string; label: string; unit: Column['unit'] }[] = [
  { id: 'cpu_pct', label: 'CPU', unit: 'pct' }, { id: 'heap_mb', label: 'Heap', unit: 'MB' }, { id: 'anon_mb', label: 'Anonymous', unit: 'MB' }, { id: 'rss_mb', label: 'RSS', unit: 'MB' },
  { id: 'threads', label: 'Threads', unit: 'count' }, { id: 'open_fds', label: 'Open files', unit: 'count' }, { id: 'alloc_bytes', label: 'Allocated', unit: 'bytes' },
  { id: 'read_bytes', label: 'Read', unit: 'bytes' }, { id: 'write_bytes', label: 'Written', unit: 'bytes' },
];

/** A leak is known by its path from the first frame that is not the allocator's outwards: "insert ‹ handle ‹ run". */
function nameLeaks(leaks: readonly Leak[], strings: readonly string[], funcs: FuncTable, frames: FrameTable, stacks: TreeTable): void {
  for (const leak of leaks as readonly { node: number; name: string }[]) {
    const path: string[] = [];
    for (let n = leak.node; n >= 0 && path.length < 5; n = stacks.parent[n]) {
      const func = frames.func[stacks.frame[n]];
      if (path.length > 0 || funcs.layer[func] !== LAYER_ALLOC) path.push(strings[funcs.name[func]] ?? '');
    }
    leak.name = path.join(' ‹ ');
  }
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}
function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
function texts(json: Json | undefined): string[] {
  return asList(json).map((item) => showStray(asText(item)));
}
function addressName(addr: number, module: string): string {
  const hex = Number.isFinite(addr) ? `0x${addr.toString(16)}` : '?';
  return module ? `${module}+${hex}` : `[unknown ${hex}]`;
}
function layerId(json: Json | undefined): number {
  if (typeof json === 'number') return json >= 0 && json < LAYERS.length ? json : LAYER_UNKNOWN;
  const at = LAYERS.indexOf(asText(json) as (typeof LAYERS)[number]);
  return at < 0 ? LAYER_UNKNOWN : at;
}
function lifetimeLabel(power: number): string {
  if (power === 0) return '< 1 µs';
  const us = 2 ** power;
  return us < 1e3 ? `< ${us} µs` : us < 1e6 ? `< ${Math.round(us / 1e3)} ms` : us < 60e6 ? `< ${Math.round(us / 1e6)} s` : us < 3600e6 ? `< ${Math.round(us / 60e6)} min` : `< ${Math.round(us / 3600e6)} h`;
}
/** As waitpid's status. */
function exitText(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? String((status >> 8) & 0xff) : `signal ${signal}`;
}
function timing(o: JsonObject): TimingNs {
  const n = (key: string): number => asNumber(o.get(key));
  return { total: n('total_ns'), self: n('self_ns'), min: n('min_ns'), max: n('max_ns'), mean: n('mean_ns'), stddev: n('stddev_ns'), p50: n('p50_ns'), p95: n('p95_ns'), p99: n('p99_ns') };
}
function benchmark(o: JsonObject, name: string): ProfileSide['benchmarks'][number] {
  const n = (key: string): number => asNumber(o.get(key));
  const outliers = asObject(o.get('outliers'));
  const ci = asNumbers(o.get('ci95_ns'));
  return {
    name, iterations: n('iterations'), warmup: n('warmup_iterations'), unit: asText(o.get('unit'), 'ns'), meanNs: n('mean_ns'), medianNs: n('median_ns'), stddevNs: n('stddev_ns'), madNs: n('mad_ns'),
    ci95Ns: [ci[0] ?? NaN, ci[1] ?? NaN], minNs: n('min_ns'), maxNs: n('max_ns'),
    outliers: {
      lowMild: asNumber(outliers.get('low_mild'), 0), lowSevere: asNumber(outliers.get('low_severe'), 0), highMild: asNumber(outliers.get('high_mild'), 0), highSevere: asNumber(outliers.get('high_severe'), 0),
    },
    throughput: Array.from(asObject(o.get('throughput')), ([label, value]) => ({ label, value: asNumber(value) })),
    samplesNs: asNumbers(o.get('samples_ns')), profiled: o.get('profiled') === true, settled: o.get('settled') !== false,
    threads: asNumber(o.get('threads'), 1), processes: asNumber(o.get('processes'), 1), allocBytes: n('alloc_bytes'), allocBlocks: n('alloc_blocks'),
  };
}

function sameLength(length: number, wanted: number, what: string): void {
  if (length !== wanted) throw damaged(`${what} has ${length} entries where its neighbours have ${wanted}`);
}
function parentsFirst(parent: Int32Array, what: string): void {
  for (let n = 0; n < parent.length; n++) if (parent[n] >= n) throw damaged(`${what}.parent[${n}] is ${parent[n]}, but parents come before children`);
}
function interval(section: JsonObject, what: string): number {
  const ms = asNumber(section.get('interval_ms'));
  if (!(ms > 0)) throw damaged(`${what}.interval_ms is missing`);
  return ms;
}
function starts(section: JsonObject, rows: number, what: string): Uint32Array {
  const numbers = asNumbers(section.get('start'));
  if (numbers.length === 0 || numbers[numbers.length - 1] !== rows || numbers[0] !== 0) throw damaged(`${what}.start does not cover its ${rows} rows`);
  for (let b = 1; b < numbers.length; b++) if (!(numbers[b] >= numbers[b - 1])) throw damaged(`${what}.start falls at bucket ${b}`);
  return Uint32Array.from(numbers);
}
/** Counters have a clock of their own; the lanes share the timeline's. */
function resampled(values: Float64Array, fromMs: number, toMs: number, points: number): Float64Array {
  if (!(fromMs > 0) || !(toMs > 0)) return new Float64Array(0);
  return Float64Array.from({ length: points || values.length }, (_, p) => values[Math.floor(((p + 0.5) * toMs) / fromMs)] ?? NaN);
}
function concatInts(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
function widenFuncs(funcs: FuncTable, extra: readonly { name: number; file: number; line: number }[]): FuncTable {
  const none = new Int32Array(extra.length).fill(-1);
  return {
    count: funcs.count + extra.length,
    name: concatInts(funcs.name, Int32Array.from(extra, (e) => e.name)),
    module: concatInts(funcs.module, none),
    crate: concatInts(funcs.crate, none),
    file: concatInts(funcs.file, Int32Array.from(extra, (e) => e.file)),
    line: concatInts(funcs.line, Int32Array.from(extra, (e) => e.line)),
    layer: Uint8Array.from({ length: funcs.count + extra.length }, (_, f) => (f < funcs.count ? funcs.layer[f] : 0)),
  };
}
