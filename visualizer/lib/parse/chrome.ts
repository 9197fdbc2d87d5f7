// SPDX-License-Identifier: MIT
/**
 * Chrome's trace events and CPU profiles. CPU profiles inside a trace (Profile/ProfileChunk, CpuProfile) and bare
 * .cpuprofile files give "CPU samples"; begin/end and complete events give "Trace events", time by nesting.
 */
import { ProfileBuilder } from '../model/builder';
import type { Profile } from '../model/types';
import { InputError, type Work } from './input';
import { asList, asNumber, asNumbers, asObject, asText, JsonReader, type Json, type JsonObject } from './json';

function damaged(what: string): InputError {
  return new InputError(`The Chrome trace is damaged: ${what}; save it again.`);
}

/** Events of one thread, in the order of the file. */
interface Lane { readonly thread: number; readonly ts: number[]; readonly dur: number[] /* NaN: a begin; -1: an end */; readonly frame: number[] }

/** A CPU profile being put together from its chunks. */
interface Sampled { readonly thread: number; startUs: number; readonly node: Map<number, number>; readonly samples: number[]; readonly deltas: number[] }

const MICROSECOND = 1e-3; // in ms

export async function parseChrome(bytes: Uint8Array, name: string, work: Work): Promise<Profile> {
  work.enter('parsing');
  const reader = new TraceReader(new ProfileBuilder('chrome', name));
  const json = new JsonReader(bytes);
  let first = 0;
  while (bytes[first] === 0x20 || bytes[first] === 0x0a || bytes[first] === 0x0d || bytes[first] === 0x09 || bytes[first] === 0xef || bytes[first] === 0xbb || bytes[first] === 0xbf) first++;
  if (bytes[first] === 0x5b) {
    // Chrome writes the list while it records: one without its "]" is whole, as its own viewer says.
    await json.array(work, (event) => reader.event(asObject(event))).catch((error: unknown) => {
      if (!(error instanceof InputError) || json.offset < bytes.length || reader.events === 0) throw error;
    });
  } else {
    const root = await json.object(work, new Map([['traceEvents', (event: Json) => reader.event(asObject(event))]]));
    if (root.has('nodes')) reader.cpuProfile(root);
  }
  work.enter('merging');
  return reader.finish(work);
}

class TraceReader {
  events = 0;
  private readonly lanes = new Map<string, Lane>();
  private readonly sampled = new Map<string, Sampled>();
  private readonly names = new Map<string, { name: string; process: boolean }>();
  private readonly threadOf = new Map<string, number>();
  private readonly processOf = new Map<string, number>();
  private readonly threadKeys: { pid: string; tid: string }[] = [];

  constructor(private readonly build: ProfileBuilder) {}

  private thread(pid: string, tid: string): number {
    const key = `${pid} ${tid}`;
    let at = this.threadOf.get(key);
    if (at === undefined) {
      let process = this.processOf.get(pid);
      if (process === undefined) this.processOf.set(pid, (process = this.build.process(`process ${pid}`, Number.parseInt(pid, 10) || 0)));
      this.threadOf.set(key, (at = this.build.thread(`thread ${tid}`, process, Number.parseInt(tid, 10) || 0)));
      this.threadKeys.push({ pid, tid });
    }
    return at;
  }

  event(event: JsonObject): void {
    this.events++;
    const phase = asText(event.get('ph'));
    const pid = idText(event.get('pid'));
    const tid = idText(event.get('tid'));
    const args = asObject(event.get('args'));
    const name = asText(event.get('name'));
    if (phase === 'M') {
      if (name === 'thread_name') this.names.set(`${pid} ${tid}`, { name: asText(args.get('name')), process: false });
      else if (name === 'process_name') this.names.set(pid, { name: asText(args.get('name')), process: true });
      return;
    }
    const data = asObject(args.get('data'));
    if (name === 'Profile' || name === 'ProfileChunk' || name === 'CpuProfile') {
      this.profileEvent(event, name, data, pid, tid);
      return;
    }
    if (phase !== 'B' && phase !== 'E' && phase !== 'X') return;
    const ts = asNumber(event.get('ts'));
    if (Number.isNaN(ts)) return;
    const thread = this.thread(pid, tid);
    const key = `${pid} ${tid}`;
    let lane = this.lanes.get(key);
    if (!lane) this.lanes.set(key, (lane = { thread, ts: [], dur: [], frame: [] }));
    lane.ts.push(ts);
    lane.dur.push(phase === 'X' ? Math.max(0, asNumber(event.get('dur'), 0)) : phase === 'B' ? NaN : -1);
    lane.frame.push(phase === 'E' ? -1 : this.build.named(name || '(unnamed)'));
  }

  private profileEvent(event: JsonObject, kind: string, data: JsonObject, pid: string, tid: string): void {
    const id = `${pid} ${idText(event.get('id')) || tid}`;
    if (kind === 'CpuProfile') {
      this.cpuProfile(asObject(data.get('cpuProfile')), pid, tid);
      return;
    }
    let into = this.sampled.get(id);
    if (!into) this.sampled.set(id, (into = { thread: this.thread(pid, tid), startUs: asNumber(data.get('startTime'), asNumber(event.get('ts'), 0)), node: new Map(), samples: [], deltas: [] }));
    const chunk = asObject(data.get('cpuProfile'));
    this.addNodes(into, asList(chunk.get('nodes')));
    for (const s of asNumbers(chunk.get('samples'))) into.samples.push(s);
    for (const d of asNumbers(data.get('timeDeltas') ?? chunk.get('timeDeltas'))) into.deltas.push(d);
  }

  /** A whole profile in one object: a .cpuprofile file. */
  cpuProfile(profile: JsonObject, pid = '0', tid = '0'): void {
    const into: Sampled = { thread: this.thread(pid, tid), startUs: asNumber(profile.get('startTime'), 0), node: new Map(), samples: [], deltas: [] };
    this.addNodes(into, asList(profile.get('nodes')));
    for (const s of asNumbers(profile.get('samples'))) into.samples.push(s);
    for (const d of asNumbers(profile.get('timeDeltas'))) into.deltas.push(d);
    if (into.samples.length === 0) this.hitCounts(into, profile);
    this.sampled.set(`${pid} ${tid} ${this.sampled.size}`, into);
  }

  /** Old profiles count hits per node and keep no order. */
  private hitCounts(into: Sampled, profile: JsonObject): void {
    const nodes = asList(profile.get('nodes')).map(asObject);
    const hits = nodes.reduce((sum, n) => sum + asNumber(n.get('hitCount'), 0), 0);
    const span = asNumber(profile.get('endTime'), 0) - asNumber(profile.get('startTime'), 0);
    for (const node of nodes) {
      const own = asNumber(node.get('hitCount'), 0);
      if (!(own > 0)) continue;
      into.samples.push(asNumber(node.get('id'), -1));
      into.deltas.push(span > 0 ? (own / hits) * span : own * 1000);
    }
  }

  /** Nodes name their parent, or list their children; parents come first in either form. */
  private addNodes(into: Sampled, list: readonly Json[]): void {
    const parentOf = new Map<number, number>();
    for (const json of list) {
      const node = asObject(json);
      for (const child of asNumbers(node.get('children'))) parentOf.set(child, asNumber(node.get('id'), -1));
    }
    for (const json of list) {
      const node = asObject(json);
      const id = asNumber(node.get('id'), -1);
      const parentId = asNumber(node.get('parent'), parentOf.get(id) ?? NaN);
      const parent = Number.isNaN(parentId) ? -1 : into.node.get(parentId);
      if (parent === undefined) throw damaged(`node ${id} comes before its parent ${parentId}`);
      const call = asObject(node.get('callFrame'));
      const name = asText(call.get('functionName')) || '(anonymous)';
      const frame = this.build.frame(this.build.func({ name, file: asText(call.get('url')), line: asNumber(call.get('lineNumber'), -1) + 1 }));
      // The synthetic (root) above everything says nothing.
      into.node.set(id, name === '(root)' && parent === -1 ? -1 : this.build.node(parent, frame));
    }
  }

  async finish(work: Work): Promise<Profile> {
    const { build } = this;
    let begin = Infinity;
    for (const lane of this.lanes.values()) for (const ts of lane.ts) if (ts < begin) begin = ts;
    for (const s of this.sampled.values()) if (s.samples.length > 0 && s.startUs < begin) begin = s.startUs;
    const cpu = [...this.sampled.values()].some((s) => s.samples.length > 0) ? build.metric('cpu', 'CPU samples', 'us', true) : -1;
    for (const s of this.sampled.values()) this.addSamples(s, cpu, begin);
    const metric = this.lanes.size > 0 ? build.metric('events', 'Trace events', 'us', true) : -1;
    let done = 0;
    for (const lane of this.lanes.values()) {
      addLane(build, lane, metric, begin);
      await work.tick(++done / this.lanes.size);
    }
    if (!build.hasSamples) throw new InputError('The Chrome trace holds neither CPU samples nor begin/end events; record it with the “JS Profiler” or another event category on.');
    for (const [key, { name, process }] of this.names) {
      if (process) {
        const at = this.processOf.get(key);
        if (at !== undefined && name) build.processes[at] = { ...build.processes[at], name };
      } else {
        const at = this.threadOf.get(key);
        if (at !== undefined && name) build.threads[at] = { ...build.threads[at], name };
      }
    }
    return build.finish();
  }

  /** timeDeltas[i] is the time from sample i - 1 to sample i: it is spent in the stack of i - 1. */
  private addSamples(s: Sampled, metric: number, begin: number): void {
    let now = s.startUs + (s.deltas[0] > 0 ? s.deltas[0] : 0);
    const typical = median(s.deltas);
    for (let i = 0; i < s.samples.length; i++) {
      const node = s.node.get(s.samples[i]);
      if (node === undefined) throw damaged(`sample ${i} points to node ${s.samples[i]}, which does not exist`);
      const next = i + 1 < s.deltas.length ? s.deltas[i + 1] : typical;
      const span = next > 0 ? next : 0;
      if (node >= 0 && span > 0 && !isIdle(this.build, node)) this.build.add(metric, node, span, (now - begin) * MICROSECOND, s.thread);
      now += span;
    }
  }
}

function isIdle(build: ProfileBuilder, node: number): boolean {
  return build.nodes.parent.data[node] === -1 && build.frameName(build.nodes.key.data[node]) === '(idle)';
}

function idText(json: Json | undefined): string {
  return typeof json === 'number' ? String(json) : asText(json);
}

function median(values: readonly number[]): number {
  const sorted = values.filter((v) => v > 0).sort((a, b) => a - b);
  return sorted.length > 0 ? sorted[sorted.length >> 1] : 0;
}

/** Begin, end and complete events of a thread into self times. Ends without a begin are dropped; begins without an end last to the end of the lane. */
function addLane(build: ProfileBuilder, lane: Lane, metric: number, begin: number): void {
  const order = Array.from(lane.ts.keys()).sort((a, b) => {
    if (lane.ts[a] !== lane.ts[b]) return lane.ts[a] - lane.ts[b];
    const bothComplete = lane.dur[a] >= 0 && lane.dur[b] >= 0;
    return bothComplete && lane.dur[a] !== lane.dur[b] ? lane.dur[b] - lane.dur[a] : a - b;
  });
  const nodes: number[] = [];
  const ends: number[] = [];
  let now = 0;
  const runTo = (to: number): void => {
    while (nodes.length > 0) {
      const top = nodes.length - 1;
      const stop = Math.min(ends[top], to);
      if (stop > now) {
        build.add(metric, nodes[top], stop - now, (now - begin) * MICROSECOND, lane.thread);
        now = stop;
      }
      if (ends[top] > to) break;
      nodes.pop();
      ends.pop();
    }
    now = Math.max(now, to);
  };
  let last = 0;
  for (const i of order) {
    const at = lane.ts[i];
    runTo(at);
    if (lane.dur[i] === -1) {
      // The innermost frame that a begin opened ends, with whatever is still on top of it.
      let open = ends.length - 1;
      while (open >= 0 && ends[open] !== Infinity) open--;
      if (open >= 0) nodes.length = ends.length = open;
    } else {
      const end = Number.isNaN(lane.dur[i]) ? Infinity : at + lane.dur[i];
      nodes.push(build.node(nodes.length > 0 ? nodes[nodes.length - 1] : -1, lane.frame[i]));
      ends.push(end);
      if (end !== Infinity) last = Math.max(last, end);
    }
    last = Math.max(last, at);
  }
  for (let i = 0; i < ends.length; i++) ends[i] = Math.min(ends[i], last);
  runTo(last);
}
