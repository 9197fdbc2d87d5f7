// SPDX-License-Identifier: MIT
/**
 * One CPU profile of V8, put together from its pieces: nodes that name their parents, samples that point to nodes.
 * Pieces come in any order, some are lost, and clocks step back: times are made absolute and sorted, parents are looked
 * for when all pieces are there, and a sample lasts to the next one. A heap profile is a tree of the same nodes that
 * count bytes.
 */
import type { FuncSpec, ProfileBuilder } from '../model/builder';
import { asList, asNumber, asNumbers, asObject, asText, numeric, type JsonObject } from './json';

interface Node { readonly parent: number; readonly spec: FuncSpec }
interface Chunk { readonly ts: number; readonly samples: Float64Array; readonly deltas: Float64Array }

const SECOND = 1e6; // in µs

export class CpuProfile {
  private readonly nodes = new Map<number, Node>();
  private readonly chunks: Chunk[] = [];
  private startUs = NaN;
  private endUs = NaN;
  private openEnd = true; // nothing says when it ended: the last sample lasts as long as most do
  /** Samples in order of time, made by `prepare`. */
  private at: number[] = [];
  private of: number[] = [];
  /** A heap profile: nodes count the bytes that are still in use. */
  heap = false;
  /** Without samples: what each node counted. */
  private readonly hits = new Map<number, number>();

  /** Of the thread that was profiled; a .cpuprofile file names none. */
  constructor(readonly pid: string | null = null, public tid = '') {}

  get timed(): boolean {
    return this.of.length > 0;
  }
  get beginUs(): number {
    return this.timed ? Math.min(Number.isNaN(this.startUs) ? Infinity : this.startUs, this.at[0]) : Infinity;
  }

  node(id: number, parent: number, spec: FuncSpec): void {
    this.nodes.set(id, { parent, spec });
  }

  sample(us: number, node: number): void {
    this.at.push(us);
    this.of.push(node);
  }

  lastsToLastSample(): void {
    this.openEnd = false;
  }

  /** The data of a Profile or ProfileChunk event; START_US is what a Profile event gives. */
  chunk(ts: number, data: JsonObject, startUs: number): void {
    const profile = asObject(data.get('cpuProfile'));
    const start = numeric(data.get('startTime'), startUs);
    if (!Number.isNaN(start)) this.startUs = start;
    const end = numeric(data.get('endTime'), numeric(profile.get('endTime')));
    if (!Number.isNaN(end)) this.endUs = end;
    this.list(profile);
    this.chunks.push({ ts, samples: asNumbers(profile.get('samples')), deltas: asNumbers(data.get('timeDeltas') ?? profile.get('timeDeltas')) });
  }

  /** A whole profile in one object. */
  whole(profile: JsonObject): void {
    this.startUs = numeric(profile.get('startTime'), 0);
    this.endUs = numeric(profile.get('endTime'));
    this.list(profile);
    const head = asObject(profile.get('head'));
    if (head.size > 0) this.tree(head);
    this.heap = head.has('selfSize');
    if (this.heap) return;
    const samples = asNumbers(profile.get('samples'));
    if (profile.has('timestamps') || profile.has('head')) this.oldSamples(samples, asNumbers(profile.get('timestamps')));
    else this.chunks.push({ ts: 0, samples, deltas: asNumbers(profile.get('timeDeltas')) });
  }

  /** Nodes name their parent, or list their children. */
  private list(profile: JsonObject): void {
    const list = asList(profile.get('nodes')).map(asObject);
    const parentOf = new Map<number, number>();
    for (const node of list) for (const child of asNumbers(node.get('children'))) parentOf.set(child, asNumber(node.get('id')));
    for (const node of list) {
      const id = asNumber(node.get('id'));
      this.node(id, asNumber(node.get('parent'), parentOf.get(id) ?? NaN), specOf(asObject(node.get('callFrame'))));
      this.hits.set(id, asNumber(node.get('hitCount'), 0));
    }
  }

  /** Before V8 5.3: nodes that hold their children, and the fields of the call frame themselves. */
  private tree(head: JsonObject): void {
    const waiting: (readonly [JsonObject, number])[] = [[head, NaN]];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [node, parent] = next;
      const id = asNumber(node.get('id'), -1 - this.nodes.size);
      this.node(id, parent, specOf(node.has('callFrame') ? asObject(node.get('callFrame')) : node));
      this.hits.set(id, asNumber(node.get('hitCount'), asNumber(node.get('selfSize'), asNumber(node.get('selfTime'), 0))));
      for (const child of asList(node.get('children'))) waiting.push([asObject(child), id]);
    }
  }

  /** Its time stamps are microseconds, the start and the end seconds; older files have no time stamps. */
  private oldSamples(samples: Float64Array, timestamps: Float64Array): void {
    const last = timestamps[timestamps.length - 1];
    if (!(last > 0) || Math.abs(this.endUs * SECOND - last) < Math.abs(this.endUs - last)) {
      this.startUs *= SECOND;
      this.endUs *= SECOND;
    }
    const each = (this.endUs - this.startUs) / samples.length;
    samples.forEach((node, i) => this.sample(timestamps.length === samples.length ? timestamps[i] : this.startUs + i * (each > 0 ? each : 1000), node));
  }

  /** All pieces are there: samples get their times. False when there is nothing to show. */
  prepare(): boolean {
    this.chunks.sort((a, b) => a.ts - b.ts);
    let now = Number.isNaN(this.startUs) ? this.chunks[0]?.ts ?? 0 : this.startUs;
    for (const { samples, deltas } of this.chunks) samples.forEach((node, i) => {
      if (Number.isFinite(deltas[i])) now += deltas[i];
      this.sample(now, node);
    });
    this.chunks.length = 0;
    const order = this.at.map((_, i) => i).sort((a, b) => this.at[a] - this.at[b] || a - b);
    this.of = order.map((i) => this.of[i]);
    this.at = order.map((i) => this.at[i]);
    return this.timed || [...this.hits.values()].some((count) => count > 0);
  }

  /** Adds everything to METRIC, as of THREAD, and returns how many callers are lost. */
  addTo(build: ProfileBuilder, metric: number, thread: number, ms: (us: number) => number): number {
    const tree = new Tree(build, this.nodes);
    if (!this.timed) this.addHits(build, metric, thread, tree);
    else for (let i = 0; i < this.of.length; i++) {
      const to = i + 1 < this.at.length ? this.at[i + 1] : this.end;
      const node = tree.node(this.of[i]);
      if (to > this.at[i] && node >= 0 && !isIdle(build, node)) build.addSpan(metric, node, to - this.at[i], ms(this.at[i]), ms(to), thread);
    }
    return tree.lost;
  }

  /** When the last sample ends. */
  get end(): number {
    const last = this.at[this.at.length - 1];
    if (!Number.isNaN(this.endUs)) return this.endUs;
    return this.openEnd ? last + median(this.at) : last;
  }

  private addHits(build: ProfileBuilder, metric: number, thread: number, tree: Tree): void {
    let sum = 0;
    for (const count of this.hits.values()) sum += Math.max(0, count);
    const span = this.endUs - this.startUs;
    const weight = (count: number): number => (this.heap ? count : span > 0 ? (count / sum) * span : count * 1000);
    for (const [id, count] of this.hits) {
      const node = tree.node(id);
      if (count > 0 && node >= 0 && !isIdle(build, node)) build.add(metric, node, weight(count), 0, thread);
    }
  }
}

/** Call-tree nodes of a profile's nodes, made from the root down when they are asked for. */
class Tree {
  lost = 0;
  private readonly made = new Map<number, number>();
  private readonly orphans = new Set<number>();

  constructor(private readonly build: ProfileBuilder, private readonly nodes: ReadonlyMap<number, Node>) {}

  /** The synthetic (root) above everything says nothing: -1. */
  node(id: number): number {
    const path: number[] = [];
    const walked = new Set<number>();
    let at = id;
    while (!this.made.has(at)) {
      const node = this.nodes.get(at);
      if (!node || walked.has(at)) {
        // A caller that is missing, or its own caller: what it calls begins here.
        if (!this.orphans.has(at)) this.lost++;
        this.orphans.add(at);
        break;
      }
      walked.add(at);
      path.push(at);
      if (Number.isNaN(node.parent)) break;
      at = node.parent;
    }
    let parent = this.made.get(at) ?? -1;
    for (let i = path.length - 1; i >= 0; i--) {
      const { spec } = this.nodes.get(path[i])!;
      if (!(spec.name === '(root)' && parent === -1)) parent = this.build.node(parent, this.build.frame(this.build.func(spec)));
      this.made.set(path[i], parent);
    }
    return path.length === 0 && !this.made.has(id) ? this.build.node(-1, this.build.named('[unknown]')) : parent;
  }
}

function specOf(call: JsonObject): FuncSpec {
  return { name: asText(call.get('functionName')) || '(anonymous)', file: asText(call.get('url')), line: Math.max(0, asNumber(call.get('lineNumber'), -1) + 1) };
}

function isIdle(build: ProfileBuilder, node: number): boolean {
  return build.nodes.parent.data[node] === -1 && build.frameName(build.nodes.key.data[node]) === '(idle)';
}

/** The usual time between neighbours of a sorted list. */
function median(at: readonly number[]): number {
  const gaps = at.slice(1).map((us, i) => us - at[i]).filter((gap) => gap > 0).sort((a, b) => a - b);
  return gaps.length > 0 ? gaps[gaps.length >> 1] : 0;
}
