// SPDX-License-Identifier: MIT
/** Answers the page's questions about one profile. Trees are cached by what shapes them; windows only sum. */
import type {
  FuncId, GroupTable, HotWindows, Metric, PageFuncs, Profile, ProfileInfo, SpikeCause, Tables, TimeWindow, Topology, Transform, View, ViewRequest,
} from '../model/types';
import { ALL_LAYERS } from '../model/types';
import { foldRoots, gather, type Folded } from './fold';
import { compileRules, MY_CODE, virtualFuncs, type VirtualFuncs } from './rules';
import { buildBottomUp, buildCallers, buildTopDown, nextTopologyId, subtreeWeights, type BuiltTree, type GroupColumns, type SourceTree } from './topology';
import { accumulate, buildWeight, groupSums, rowRange, sumSelf, type Filter, type Sums } from './values';

/** Trees kept; one of 774k nodes is some 17 MB. */
const TREES_KEPT = 6;

/** What shapes a tree. */
export interface Shape {
  readonly metric: string;
  readonly transforms: readonly Transform[];
  readonly layers: number;
  readonly onlyMyCode: boolean;
  readonly collapseRecursion: 'off' | 'direct' | 'all';
}
export const PLAIN: Omit<Shape, 'metric'> = { transforms: [], layers: ALL_LAYERS, onlyMyCode: false, collapseRecursion: 'off' };

export class Engine {
  readonly crates: readonly string[];
  readonly files: readonly string[];
  readonly funcs: PageFuncs;
  readonly groups: GroupColumns;
  private readonly virtual: VirtualFuncs;
  private readonly trees = new Map<string, BuiltTree>();
  private readonly sources = new Map<'stacks' | 'scopes', SourceTree>();
  private readonly weights = new Map<Metric, Float64Array>();
  private readonly folded = new WeakMap<BuiltTree, Folded | null>();

  constructor(readonly id: number, readonly profile: Profile, readonly sizeBytes: number, readonly file = '') {
    const { funcs, strings, modules } = profile;
    const crates = numberStrings(funcs.crate, strings);
    const files = numberStrings(funcs.file, strings);
    this.crates = crates.names;
    this.files = files.names;
    this.virtual = virtualFuncs(funcs.count, crates.names.length, modules.count);
    this.funcs = pageFuncs(profile, this.virtual, crates, files.index);
    this.groups = { crate: this.funcs.crate, module: this.funcs.module, crates: crates.names.length, modules: modules.count };
  }

  info(): ProfileInfo {
    const { profile } = this;
    const text = (s: number): string => (s < 0 ? '' : profile.strings[s]);
    return {
      id: this.id,
      format: profile.format,
      name: profile.name,
      file: this.file,
      sizeBytes: this.sizeBytes,
      nodes: profile.stacks.count,
      funcs: this.funcs,
      crates: this.crates,
      modules: Array.from({ length: profile.modules.count }, (_, m) => ({
        name: text(profile.modules.name[m]), path: text(profile.modules.path[m]), symbols: SYMBOLS[profile.modules.symbols[m]] ?? 'unknown',
      })),
      files: this.files,
      metrics: profile.metrics.map((m) => m.info),
      opensOn: profile.opensOn,
      side: profile.side,
    };
  }

  metric(id: string): Metric | null {
    return this.profile.metrics.find((m) => m.info.id === id) ?? null;
  }

  private needMetric(id: string): Metric {
    const metric = this.metric(id);
    if (!metric) throw new Error(`This profile has no “${id}” values.`);
    return metric;
  }

  source(which: 'stacks' | 'scopes'): SourceTree {
    let source = this.sources.get(which);
    if (!source) {
      const table = which === 'scopes' ? this.profile.scopes : this.profile.stacks;
      if (!table) throw new Error('This profile has no instrumented scopes.');
      const { func, inlined } = this.profile.frames;
      const funcOf = new Int32Array(table.count);
      const inlinedOf = new Uint8Array(table.count);
      for (let n = 0; n < table.count; n++) {
        const frame = table.frame[n];
        funcOf[n] = frame < 0 ? -1 : func[frame];
        inlinedOf[n] = frame < 0 ? 0 : inlined[frame];
      }
      this.sources.set(which, (source = { count: table.count, parent: table.parent, func: funcOf, inlined: inlinedOf, merged: table.merged }));
    }
    return source;
  }

  private weight(metric: Metric): Float64Array {
    let weight = this.weights.get(metric);
    if (!weight) this.weights.set(metric, (weight = buildWeight(metric, this.source(metric.info.tree).count)));
    return weight;
  }

  /** The tree of a shape in a direction, from the cache or built. */
  tree(shape: Shape, direction: ViewRequest['direction'], func: FuncId | null): BuiltTree {
    const key = JSON.stringify([shape.metric, shape.transforms, shape.layers, shape.onlyMyCode, shape.collapseRecursion, direction, direction === 'callers' || direction === 'callees' ? func : null]);
    const kept = this.trees.get(key);
    if (kept) {
      this.trees.delete(key);
      this.trees.set(key, kept);
      return kept;
    }
    const built = this.build(shape, direction, func);
    this.trees.set(key, built);
    for (const oldest of this.trees.keys()) {
      if (this.trees.size <= TREES_KEPT) break;
      this.trees.delete(oldest);
    }
    return built;
  }

  private build(shape: Shape, direction: ViewRequest['direction'], func: FuncId | null): BuiltTree {
    const metric = this.needMetric(shape.metric);
    if (direction === 'top-down' || direction === 'callees') {
      const transforms = direction === 'callees' && func !== null ? [...shape.transforms, { kind: 'focus' as const, func }] : shape.transforms;
      const rules = compileRules({
        funcs: this.profile.funcs, names: this.funcs.names, crate: this.funcs.crate, virtual: this.virtual,
        transforms, layers: shape.layers, onlyMyCode: shape.onlyMyCode, collapseRecursion: shape.collapseRecursion,
      });
      return buildTopDown(this.source(metric.info.tree), rules, this.weight(metric));
    }
    const top = this.tree(shape, 'top-down', null);
    const own = this.ownWeight(top, metric);
    return direction === 'bottom-up' ? buildBottomUp(top, own) : buildCallers(top, func ?? -1, own);
  }

  /** What each node of a built tree has itself over the whole recording. */
  private ownWeight(tree: BuiltTree, metric: Metric): Float64Array {
    const own = new Float64Array(tree.topology.count);
    const weight = this.weight(metric);
    for (let n = 0; n < tree.map.length; n++) if (tree.map[n] >= 0) own[tree.map[n]] += weight[n];
    return own;
  }

  /** TREE with the way to the reader's code folded; null where nothing folds. */
  fold(tree: BuiltTree, metric: string): Folded | null {
    let folded = this.folded.get(tree);
    if (folded === undefined) {
      const { topology } = tree;
      const mine = this.funcs.layer.map((layer) => MY_CODE >> layer & 1);
      const total = subtreeWeights(topology.parent, this.ownWeight(tree, this.needMetric(metric)));
      this.folded.set(tree, (folded = foldRoots(topology, total, mine, this.funcs.names, nextTopologyId())));
    }
    return folded;
  }

  filter(metric: Metric, window: TimeWindow | null, threads: readonly number[] | null, processes: readonly number[] | null): Filter {
    const range = window && metric.info.windowed ? rowRange(metric, window) : null;
    if ((!threads && !processes) || !metric.info.threaded) return { range, thread: null };
    const all = this.profile.side.threads;
    const mask = new Uint8Array(all.length).fill(threads ? 0 : 1);
    if (threads) for (const t of threads) if (t < mask.length) mask[t] = 1;
    if (processes) for (let t = 0; t < all.length; t++) if (!processes.includes(all[t].process)) mask[t] = 0;
    return { range, thread: mask };
  }

  view(request: ViewRequest): View {
    const metric = this.needMetric(request.metric);
    const filter = this.filter(metric, request.window, request.threads, request.processes);
    const tree = this.tree(request, request.direction, request.func);
    const nodes = this.source(metric.info.tree).count;
    const sums = sumSelf(tree, metric, nodes, filter);
    const topDown = request.tables ? this.topDown(request, metric, tree, sums, filter, nodes) : null;
    const x0 = accumulate(tree, sums.value);
    const folded = request.foldRoot && request.direction === 'top-down' ? this.fold(tree, request.metric) : null;
    const topology = folded?.topology ?? tree.topology;
    return {
      topologyId: topology.id,
      topology: request.haveTopology === topology.id ? null : copyTopology(topology),
      value: folded ? gather(sums.value, folded.from) : sums.value,
      x0: folded ? gather(x0, folded.from) : x0,
      metric: metric.info,
      status: {
        shown: sums.value[0],
        inWindow: sums.inWindow,
        whole: metric.info.total,
        window: filter.range?.window ?? null,
        ignoresWindow: request.window !== null && filter.range === null,
        ignoresThreads: (request.threads !== null || request.processes !== null) && filter.thread === null,
        dropped: sums.dropped,
        profiler: sums.profiler,
        freed: sums.freed,
        charged: sums.charged,
        rows: sums.rows,
        samples: this.samples(metric, sums.inWindow),
      },
      tables: topDown,
    };
  }

  /** Samples behind an amount of CPU time: each weighs one period. */
  private samples(metric: Metric, amount: number): number {
    const period = this.samplePeriod(metric);
    return period === 1 ? amount : Math.round(amount / period);
  }

  /** What one sample weighs in the metric's unit; NaN where amounts were not sampled at a known rate. */
  samplePeriod(metric: Metric): number {
    if (metric.info.unit === 'samples') return 1;
    const hz = this.profile.side.meta.stackRateHz;
    return metric.info.id === 'cpu' && hz > 0 ? 1e6 / hz : NaN;
  }

  /** Whether a function is the reader's; nodes like [unsampled] explain a gap, they are nobody's code. */
  isReaders(func: FuncId): boolean {
    return func >= 0 && (MY_CODE >> this.funcs.layer[func] & 1) === 1 && !this.funcs.names[func].startsWith('[');
  }

  private topDown(request: ViewRequest, metric: Metric, tree: BuiltTree, sums: Sums, filter: Filter, nodes: number): Tables {
    let top = tree;
    let self = sums.value;
    if (request.direction !== 'top-down') {
      top = this.tree(request, 'top-down', null);
      self = sumSelf(top, metric, nodes, filter).value;
    }
    const total = self.slice();
    accumulate(top, total);
    const groups = groupSums(top, self, total, this.groups);
    const bytes = metric.info.id === 'alloc_bytes' || metric.info.tree !== 'stacks' ? null : this.bytesBelow(request);
    return {
      functions: groups.func.table(bytes ? bytes.func.total : null),
      crates: groups.crate.table(bytes ? bytes.crate.total : null),
      modules: groups.module.table(bytes ? bytes.module.total : null),
      threads: this.threadTable(metric, filter),
    };
  }

  /** Allocated bytes below each group under the same window and shape. */
  private bytesBelow(request: ViewRequest): ReturnType<typeof groupSums> | null {
    const metric = this.metric('alloc_bytes');
    if (!metric) return null;
    const tree = this.tree({ ...request, metric: 'alloc_bytes' }, 'top-down', null);
    const filter = this.filter(metric, request.window, request.threads, request.processes);
    const self = sumSelf(tree, metric, this.source('stacks').count, filter).value;
    const total = self.slice();
    accumulate(tree, total);
    return groupSums(tree, self, total, this.groups);
  }

  private threadTable(metric: Metric, filter: Filter): GroupTable {
    const rows = metric.rows;
    const sum = new Float64Array(this.profile.side.threads.length);
    if (rows && metric.info.threaded) {
      const from = filter.range ? filter.range.from : 0;
      const to = filter.range ? filter.range.to : rows.node.length;
      for (let r = from; r < to; r++) {
        const t = rows.thread[r];
        if (t >= 0 && t < sum.length && (!filter.thread || filter.thread[t])) sum[t] += rows.weight[r];
      }
    }
    const keys = Array.from(sum.keys()).filter((t) => sum[t] !== 0).sort((a, b) => sum[b] - sum[a] || a - b);
    const values = Float64Array.from(keys, (t) => sum[t]);
    return { count: keys.length, key: Int32Array.from(keys), self: values, total: values, bytes: new Float64Array(0) };
  }

  /** When a function, crate or module was on the stack: its total per bucket of the metric. */
  hotWindows(metricId: string, group: 'function' | 'crate' | 'module', key: number): HotWindows {
    const metric = this.needMetric(metricId);
    const rows = metric.info.windowed ? metric.rows : null;
    if (!rows) return { intervalMs: 0, values: new Float64Array(0) };
    const source = this.source(metric.info.tree);
    const column = group === 'function' ? null : group === 'crate' ? this.funcs.crate : this.funcs.module;
    const inside = new Uint8Array(source.count);
    for (let n = 0; n < source.count; n++) {
      const f = source.func[n];
      const mine = column ? f >= 0 && column[f] === key : f === key;
      inside[n] = mine || (source.parent[n] >= 0 && inside[source.parent[n]] === 1) ? 1 : 0;
    }
    const buckets = rows.start.length - 1;
    const values = new Float64Array(buckets);
    for (let b = 0; b < buckets; b++) {
      for (let r = rows.start[b]; r < rows.start[b + 1]; r++) if (rows.node[r] >= 0 && inside[rows.node[r]]) values[b] += rows.weight[r];
    }
    return { intervalMs: rows.intervalMs, values };
  }

  /** Functions by CPU and allocation paths by net bytes inside a window. */
  spikeCause(window: TimeWindow, limit = 5): SpikeCause {
    const cpu = this.metric('cpu') ?? this.profile.metrics.find((m) => m.info.windowed) ?? null;
    return { window, functions: cpu?.rows ? this.charged(cpu, window).slice(0, limit) : [], allocations: this.allocationPaths(window, limit) };
  }

  /** CPU of a window by the innermost function of the reader's on each stack; a stack without one is its leaf's. */
  private charged(cpu: Metric, window: TimeWindow): SpikeCause['functions'][number][] {
    const tree = this.tree({ ...PLAIN, metric: cpu.info.id }, 'top-down', null);
    const { parent, func, count } = tree.topology;
    const self = sumSelf(tree, cpu, this.source(cpu.info.tree).count, this.filter(cpu, window, null, null)).value;
    const owner = new Int32Array(count).fill(-1);
    const sums = new Map<FuncId, { value: number; via: Map<FuncId, number> }>();
    for (let n = 1; n < count; n++) {
      const f = func[n];
      owner[n] = this.isReaders(f) ? f : owner[parent[n]];
      if (self[n] <= 0 || f < 0 || (owner[n] < 0 && this.funcs.names[f].startsWith('['))) continue;
      const key = owner[n] >= 0 ? owner[n] : f;
      let sum = sums.get(key);
      if (!sum) sums.set(key, (sum = { value: 0, via: new Map() }));
      sum.value += self[n];
      sum.via.set(f, (sum.via.get(f) ?? 0) + self[n]);
    }
    return [...sums].sort((a, b) => b[1].value - a[1].value).map(([key, { value, via }]) => {
      const [most] = [...via].reduce((a, b) => (b[1] > a[1] ? b : a));
      return { name: this.funcs.names[key] ?? '', value, unit: cpu.info.unit, func: key, node: -1, via: most === key ? -1 : most };
    });
  }

  /**
   * Paths by net bytes. A spike ends where memory was highest: what the bucket of its end freed on balance was freed after
   * it, but for the share of the bucket that lies before (as the CLI has it, in analyze/allocs.c).
   */
  private allocationPaths(window: TimeWindow, limit: number): SpikeCause['allocations'] {
    const metric = this.metric('net_bytes') ?? this.metric('alloc_bytes');
    const rows = metric?.rows;
    if (!metric || !rows) return [];
    const source = this.source('stacks');
    const range = rowRange(metric, window);
    const net = new Map<number, number>();
    if (range) {
      const cut = rows.start[Math.min(Math.floor(window.toMs / rows.intervalMs), rows.start.length - 1)];
      const before = (window.toMs % rows.intervalMs) / rows.intervalMs;
      for (let r = range.from; r < range.to; r++) {
        if (rows.node[r] < 0) continue;
        const bytes = r >= cut && rows.weight[r] < 0 ? rows.weight[r] * before : rows.weight[r];
        net.set(rows.node[r], (net.get(rows.node[r]) ?? 0) + bytes);
      }
    }
    const ranked = [...net].filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]).slice(0, limit);
    return ranked.map(([node, bytes]) => {
      const path: FuncId[] = [];
      for (let n = node; n >= 0; n = source.parent[n]) if (source.func[n] >= 0) path.unshift(source.func[n]);
      const leaf = path.length ? path[path.length - 1] : -1;
      return { name: leaf < 0 ? '' : this.funcs.names[leaf], value: bytes, unit: 'bytes' as const, func: leaf, node, path };
    });
  }
}

const SYMBOLS = ['dwarf', 'symtab', 'dynsym', 'none', 'unknown'];

/** Topologies are transferred to the page while the worker keeps its own. */
export function copyTopology(t: Topology): Topology {
  return { ...t, parent: t.parent.slice(), func: t.func.slice(), flags: t.flags.slice(), firstChild: t.firstChild.slice(), rowStart: t.rowStart.slice() };
}

/** Renumbers the string ids of a column densely, in order of first use. */
function numberStrings(column: Int32Array, strings: readonly string[]): { names: string[]; index: Int32Array } {
  const seen = new Map<number, number>();
  const names: string[] = [];
  const index = new Int32Array(column.length);
  for (let i = 0; i < column.length; i++) {
    const s = column[i];
    if (s < 0) {
      index[i] = -1;
      continue;
    }
    let at = seen.get(s);
    if (at === undefined) {
      seen.set(s, (at = names.length));
      names.push(strings[s]);
    }
    index[i] = at;
  }
  return { names, index };
}

function pageFuncs(profile: Profile, virtual: VirtualFuncs, crates: { names: string[]; index: Int32Array }, file: Int32Array): PageFuncs {
  const { funcs, modules, strings } = profile;
  const names: string[] = new Array<string>(virtual.count);
  const crate = new Int32Array(virtual.count).fill(-1);
  const module = new Int32Array(virtual.count).fill(-1);
  const files = new Int32Array(virtual.count).fill(-1);
  const line = new Int32Array(virtual.count);
  const layer = new Uint8Array(virtual.count);
  crate.set(crates.index);
  module.set(funcs.module);
  files.set(file);
  line.set(funcs.line);
  layer.set(funcs.layer);
  for (let f = 0; f < funcs.count; f++) {
    names[f] = strings[funcs.name[f]];
    if (crates.index[f] >= 0) layer[virtual.crate0 + crates.index[f]] = funcs.layer[f];
    if (funcs.module[f] >= 0) layer[virtual.module0 + funcs.module[f]] = funcs.layer[f];
  }
  for (let c = 0; c < crates.names.length; c++) {
    names[virtual.crate0 + c] = `[${crates.names[c]}]`;
    crate[virtual.crate0 + c] = c;
  }
  for (let m = 0; m < modules.count; m++) {
    names[virtual.module0 + m] = `[${modules.name[m] < 0 ? '?' : strings[modules.name[m]]}]`;
    module[virtual.module0 + m] = m;
  }
  names[virtual.outside] = '[outside your code]';
  names[virtual.hidden] = '[hidden]';
  layer[virtual.outside] = layer[virtual.hidden] = 7;
  return { count: virtual.count, real: virtual.real, names, crate, module, file: files, line, layer };
}
