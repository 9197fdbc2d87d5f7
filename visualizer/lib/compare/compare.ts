// SPDX-License-Identifier: MIT
/**
 * Two measurements in one tree. Both recorded trees are laid side by side over joined functions (same name and crate after
 * taking off what differs between builds, see names.ts)
 * and built like any other, so every rule of the single view holds here; only the sums are made twice.
 */
import type { BucketRows, CompareRequest, CompareSide, CompareView, FuncTable, Metric, Profile, ProfileSide, Topology } from '../model/types';
import { copyTopology, Engine, type Shape } from '../view/engine';
import { gather } from '../view/fold';
import type { BuiltTree } from '../view/topology';
import { accumulate, buildWeight, groupSums, rowRange, sumSelf } from '../view/values';
import { plainModule, plainName } from './names';

interface Side { readonly engine: Engine; readonly metric: Metric; readonly nodes: number; readonly from: number /* first node in the joined tree */ }

export class Comparison {
  private readonly joined: Engine;
  private readonly sides: readonly [Side, Side];

  constructor(base: Engine, baseMetric: string, next: Engine, nextMetric: string) {
    const a = need(base, baseMetric);
    const b = need(next, nextMetric);
    if (a.info.unit !== b.info.unit) throw new Error(`“${a.info.label}” of ${base.profile.name} and “${b.info.label}” of ${next.profile.name} are in different units; choose the same metric on both sides.`);
    const nodesA = base.source(a.info.tree).count;
    this.sides = [
      { engine: base, metric: a, nodes: nodesA, from: 0 },
      { engine: next, metric: b, nodes: next.source(b.info.tree).count, from: nodesA },
    ];
    this.joined = new Engine(0, joinProfiles(this.sides), 0);
  }

  view(request: CompareRequest): CompareView {
    const shape: Shape = { metric: 'both', transforms: [], layers: request.layers, onlyMyCode: request.onlyMyCode, collapseRecursion: request.collapseRecursion };
    const top = this.joined.tree(shape, 'top-down', null);
    const tree = request.direction === 'bottom-up' ? this.joined.tree(shape, 'bottom-up', null) : top;
    const base = this.totals(tree, 0, request.base, request.relative);
    const next = this.totals(tree, 1, request.next, request.relative);
    const value = new Float64Array(tree.topology.count);
    for (let n = 0; n < value.length; n++) value[n] = base.total[n] + next.total[n];
    const x0 = edges(tree.topology, value);
    const folded = request.foldRoot && request.direction === 'top-down' ? this.joined.fold(tree, 'both') : null;
    const topology = folded?.topology ?? tree.topology;
    const shown = (column: Float64Array): Float64Array => (folded ? gather(column, folded.from) : column);
    return {
      topologyId: topology.id,
      topology: request.haveTopology === topology.id ? null : copyTopology(topology),
      funcs: this.joined.funcs, crates: this.joined.crates, value: shown(value), x0: shown(x0), base: shown(base.total), next: shown(next.total),
      unit: this.sides[0].metric.info.unit, baseTotal: base.sum, nextTotal: next.sum,
      periods: [this.sides[0].engine.samplePeriod(this.sides[0].metric), this.sides[1].engine.samplePeriod(this.sides[1].metric)],
      rows: this.rows(top, request), warnings: this.warnings(request),
    };
  }

  /** Totals per node of one side; SUM is in the metric's unit, also when the totals are shares. */
  private totals(tree: BuiltTree, which: 0 | 1, asked: CompareSide, relative: boolean): { self: Float64Array; total: Float64Array; sum: number } {
    const side = this.sides[which];
    const part: BuiltTree = {
      topology: tree.topology,
      map: tree.map.subarray(side.from, side.from + side.nodes),
      fate: tree.fate ? tree.fate.subarray(side.from, side.from + side.nodes) : null,
      repeats: null,
    };
    const range = asked.window && side.metric.info.windowed ? rowRange(side.metric, asked.window) : null;
    const self = sumSelf(part, side.metric, side.nodes, { range, thread: null }).value;
    const total = self.slice();
    accumulate(part, total);
    const sum = total[0];
    if (relative && sum > 0) {
      for (let n = 0; n < total.length; n++) {
        total[n] /= sum;
        self[n] /= sum;
      }
    }
    return { self, total, sum };
  }

  private rows(top: BuiltTree, request: CompareRequest): CompareView['rows'] {
    const groups = ([0, 1] as const).map((which) => {
      const { self, total } = this.totals(top, which, which === 0 ? request.base : request.next, request.relative);
      return groupSums(top, self, total, this.joined.groups).func;
    });
    const [a, b] = groups;
    const keys: number[] = [];
    for (let k = 1; k < a.self.length; k++) if (a.total[k] !== 0 || b.total[k] !== 0) keys.push(k);
    keys.sort((p, q) => Math.abs(b.self[q] - a.self[q]) - Math.abs(b.self[p] - a.self[p]) || Math.abs(b.total[q] - a.total[q]) - Math.abs(b.total[p] - a.total[p]) || p - q);
    const pick = (values: Float64Array): Float64Array => Float64Array.from(keys, (k) => values[k]);
    return { count: keys.length, func: Int32Array.from(keys, (k) => k - 1), baseSelf: pick(a.self), nextSelf: pick(b.self), baseTotal: pick(a.total), nextTotal: pick(b.total) };
  }

  private warnings(request: CompareRequest): string[] {
    const [a, b] = this.sides;
    const out: string[] = [];
    const sideA = a.engine.profile.side;
    const sideB = b.engine.profile.side;
    if (sideA.summary.heapSource && sideB.summary.heapSource && sideA.summary.heapSource !== sideB.summary.heapSource) {
      out.push(`The heap was measured differently (${sideA.summary.heapSource} and ${sideB.summary.heapSource}); heap figures are not compared.`);
    }
    if (sideA.meta.target && sideB.meta.target && name(sideA) !== name(sideB)) out.push(`The programs differ: ${name(sideA)} and ${name(sideB)}.`);
    if (sideA.meta.cpuModel && sideB.meta.cpuModel && sideA.meta.cpuModel !== sideB.meta.cpuModel) out.push(`The machines differ: ${sideA.meta.cpuModel} and ${sideB.meta.cpuModel}; compare shares rather than times.`);
    if (a.metric.info.label !== b.metric.info.label && a.engine !== b.engine) out.push(`The sides show different metrics: ${a.metric.info.label} and ${b.metric.info.label}.`);
    for (const [side, asked] of [[a, request.base], [b, request.next]] as const) {
      if (asked.window && !side.metric.info.windowed) out.push(`“${side.metric.info.label}” of ${side.engine.profile.name} is known for the whole session only; its window is ignored.`);
    }
    return out;
  }
}

function name(side: ProfileSide): string {
  return side.meta.target.slice(side.meta.target.lastIndexOf('/') + 1);
}

function need(engine: Engine, id: string): Metric {
  const metric = engine.metric(id);
  if (!metric) throw new Error(`${engine.profile.name} has no values of “${id}”; choose a metric that both sides have.`);
  return metric;
}

function edges(t: Topology, value: Float64Array): Float64Array {
  const x0 = new Float64Array(t.count);
  for (let i = 0; i < t.count; i++) {
    let x = x0[i];
    for (let c = t.firstChild[i]; c < t.firstChild[i + 1]; c++) {
      x0[c] = x;
      x += value[c];
    }
  }
  return x0;
}

/** A profile of both trees with one metric: each side's share, so that neither decides the order of siblings alone. */
function joinProfiles(sides: readonly [Side, Side]): Profile {
  const strings: string[] = [];
  const stringIds = new Map<string, number>();
  const intern = (from: Profile, id: number, plain = (text: string): string => text): number => {
    if (id < 0) return -1;
    const text = plain(from.strings[id]);
    let at = stringIds.get(text);
    if (at === undefined) {
      stringIds.set(text, (at = strings.length));
      strings.push(text);
    }
    return at;
  };
  const columns = { name: [] as number[], crate: [] as number[], file: [] as number[], line: [] as number[], layer: [] as number[] };
  const known = new Map<string, number>();
  const total = sides[0].nodes + sides[1].nodes;
  const parent = new Int32Array(total);
  const frame = new Int32Array(total);
  const weight = new Float64Array(total);
  const inlined: number[] = [];
  const funcOfFrame: number[] = [];
  for (const side of sides) {
    const { profile } = side.engine;
    const source = side.engine.source(side.metric.info.tree);
    const joinedFunc = new Int32Array(profile.funcs.count);
    for (let f = 0; f < joinedFunc.length; f++) {
      const funcName = intern(profile, profile.funcs.name[f], plainName);
      const crate = intern(profile, profile.funcs.crate[f], (text) => plainModule(text, profile.side.meta.target));
      const key = `${funcName}:${crate}`;
      let at = known.get(key);
      if (at === undefined) {
        at = columns.name.push(funcName) - 1;
        columns.crate.push(crate);
        columns.file.push(intern(profile, profile.funcs.file[f]));
        columns.line.push(profile.funcs.line[f]);
        columns.layer.push(profile.funcs.layer[f]);
        known.set(key, at);
      }
      joinedFunc[f] = at;
    }
    const own = buildWeight(side.metric, source.count);
    let sum = 0;
    for (const w of own) sum += w;
    for (let n = 0; n < source.count; n++) {
      const at = side.from + n;
      parent[at] = source.parent[n] < 0 ? -1 : source.parent[n] + side.from;
      weight[at] = sum > 0 ? own[n] / sum : 0;
      const key = (source.func[n] < 0 ? -1 : joinedFunc[source.func[n]]);
      frame[at] = key < 0 ? -1 : key * 2 + source.inlined[n];
    }
  }
  for (let f = 0; f < columns.name.length; f++) {
    funcOfFrame.push(f, f);
    inlined.push(0, 1);
  }
  const count = columns.name.length;
  const funcs: FuncTable = {
    count, name: Int32Array.from(columns.name), module: new Int32Array(count).fill(-1), crate: Int32Array.from(columns.crate), file: Int32Array.from(columns.file),
    line: Int32Array.from(columns.line), layer: Uint8Array.from(columns.layer),
  };
  const noRows: BucketRows | null = null;
  return {
    format: sides[0].engine.profile.format, name: 'comparison', opensOn: 'both', strings, funcs,
    modules: { count: 0, path: new Int32Array(0), name: new Int32Array(0), buildId: new Int32Array(0), symbols: new Uint8Array(0) },
    frames: { count: count * 2, func: Int32Array.from(funcOfFrame), line: new Int32Array(count * 2), addr: new Float64Array(count * 2).fill(NaN), inlined: Uint8Array.from(inlined) },
    stacks: { count: total, parent, frame, merged: false },
    scopes: null,
    metrics: [{ info: { id: 'both', label: 'Both', unit: 'none', tree: 'stacks', windowed: false, threaded: false, total: 2, signed: false }, rows: noRows, whole: weight }],
    side: sides[0].engine.profile.side,
  };
}
