// SPDX-License-Identifier: MIT
/**
 * Chrome's trace events and V8's CPU profiles, and what writes like them: .cpuprofile files of all versions (a list of
 * nodes, or a tree below `head`), profiles inside a trace (Profile/ProfileChunk, CpuProfile), and the samples with
 * `stackFrames` of the trace event format, which Hermes writes. They give "CPU samples", V8's heap profiles "Bytes in
 * use"; begin/end and complete events give "Trace events".
 *
 * The order of the file means nothing here: everything is put into the order of time first.
 */
import { ProfileBuilder } from '../model/builder';
import type { Profile } from '../model/types';
import { CpuProfile } from './cpuprofile';
import { InputError, type Work } from './input';
import { asList, asObject, asText, JsonReader, numeric, type Json, type JsonObject } from './json';
import { Lane } from './spans';

const MICROSECOND = 1e-3; // in ms
/** V8 keeps 255 frames of a stack, and the old tree has two levels of JSON for each. */
const NESTING = 1024;
/** What is read of the top level; the rest (metadata with whole sources in it) is stepped over. */
const WANTED = new Set(['traceEvents', 'nodes', 'head', 'samples', 'timeDeltas', 'timestamps', 'startTime', 'endTime', 'stackFrames']);

export async function parseChrome(bytes: Uint8Array, name: string, work: Work): Promise<Profile> {
  work.enter('parsing');
  const reader = new TraceReader(new ProfileBuilder('chrome', name));
  const json = new JsonReader(bytes, NESTING);
  let first = 0;
  while (bytes[first] === 0x20 || bytes[first] === 0x0a || bytes[first] === 0x0d || bytes[first] === 0x09 || bytes[first] === 0xef || bytes[first] === 0xbb || bytes[first] === 0xbf) first++;
  if (bytes[first] === 0x5b) {
    // Chrome writes the list while it records: one without its "]" is whole, as its own viewer says.
    await json.array(work, (event) => reader.event(asObject(event))).catch((error: unknown) => {
      if (!(error instanceof InputError) || json.offset < bytes.length || reader.events === 0) throw error;
    });
  } else {
    const root = await json.object(work, { each: new Map([['traceEvents', (event: Json) => reader.event(asObject(event))]]), wanted: WANTED });
    if (root.has('nodes') || root.has('head')) reader.bareProfile(root);
    else if (root.has('stackFrames')) reader.stackFrames(asObject(root.get('stackFrames')), asList(root.get('samples')));
  }
  work.enter('merging');
  return reader.finish(work);
}

function idText(json: Json | undefined): string {
  return typeof json === 'number' ? String(json) : asText(json);
}

class TraceReader {
  events = 0;
  private untimed = 0;
  private readonly lanes = new Map<string, Lane>();
  private readonly profiles = new Map<string, CpuProfile>();
  private readonly names = new Map<string, { name: string; process: boolean }>();
  private readonly threadOf = new Map<string, number>();
  private readonly processOf = new Map<string, number>();

  constructor(private readonly build: ProfileBuilder) {}

  private thread(pid: string, tid: string): number {
    const key = `${pid} ${tid}`;
    let at = this.threadOf.get(key);
    if (at === undefined) {
      let process = this.processOf.get(pid);
      if (process === undefined) this.processOf.set(pid, (process = this.build.process(`process ${pid}`, Number.parseInt(pid, 10) || 0)));
      this.threadOf.set(key, (at = this.build.thread(`thread ${tid}`, process, Number.parseInt(tid, 10) || 0)));
    }
    return at;
  }

  event(event: JsonObject): void {
    this.events++;
    const phase = asText(event.get('ph'));
    const pid = idText(event.get('pid'));
    const tid = idText(event.get('tid'));
    const name = asText(event.get('name'));
    if (phase === 'M') {
      const args = asObject(event.get('args'));
      if (name === 'thread_name') this.names.set(`${pid} ${tid}`, { name: asText(args.get('name')), process: false });
      else if (name === 'process_name') this.names.set(pid, { name: asText(args.get('name')), process: true });
      return;
    }
    if (name === 'Profile' || name === 'ProfileChunk' || name === 'CpuProfile') return this.profileEvent(event, name, pid, tid);
    if (phase !== 'B' && phase !== 'E' && phase !== 'X') return;
    const ts = numeric(event.get('ts'));
    if (Number.isNaN(ts)) {
      this.untimed++;
      return;
    }
    const key = `${pid} ${tid}`;
    let lane = this.lanes.get(key);
    if (!lane) this.lanes.set(key, (lane = new Lane(this.thread(pid, tid))));
    if (phase === 'X') lane.complete(name || '(unnamed)', ts, ts + Math.max(0, numeric(event.get('dur'), 0)));
    else if (phase === 'B') lane.begin(name || '(unnamed)', ts);
    else lane.end(name, ts);
  }

  private profileEvent(event: JsonObject, kind: string, pid: string, tid: string): void {
    const data = asObject(asObject(event.get('args')).get('data'));
    const ts = numeric(event.get('ts'), 0);
    if (kind === 'CpuProfile') {
      const profile = new CpuProfile(pid, tid);
      profile.whole(asObject(data.get('cpuProfile')));
      this.profiles.set(`${pid} ${tid} ${this.profiles.size}`, profile);
      return;
    }
    const id2 = asObject(event.get('id2'));
    const id = idText(event.get('id')) || idText(id2.get('local')) || idText(id2.get('global')) || tid;
    const key = `${pid} ${id}`;
    let profile = this.profiles.get(key);
    if (!profile) this.profiles.set(key, (profile = new CpuProfile(pid, tid)));
    // Chunks come from the sampler's thread; the profiled one is that of the Profile event.
    if (kind === 'Profile') profile.tid = tid;
    profile.chunk(ts, data, kind === 'Profile' ? ts : NaN);
  }

  /** A .cpuprofile or a .heapprofile file: one of the two in a file. */
  bareProfile(root: JsonObject): void {
    const profile = new CpuProfile();
    profile.whole(root);
    this.profiles.set('', profile);
  }

  /** Samples that point to a table of frames by id. Each lasts to the next one of its thread; how long the last one lasted nothing tells. */
  stackFrames(table: JsonObject, samples: readonly Json[]): void {
    const nodes = new Map<string, { parent: string; name: string; url: string; line: number }>();
    for (const [id, json] of table) {
      const frame = asObject(json);
      nodes.set(id, { parent: idText(frame.get('parent')), name: asText(frame.get('name')) || '(anonymous)', url: asText(frame.get('url')), line: Math.max(0, numeric(frame.get('line'), 0)) });
    }
    const ids = new Map([...nodes.keys()].map((id, i) => [id, i + 1] as const));
    for (const sample of samples.map(asObject)) {
      const ts = numeric(sample.get('ts'));
      if (Number.isNaN(ts)) {
        this.untimed++;
        continue;
      }
      const pid = idText(sample.get('pid'));
      const tid = idText(sample.get('tid'));
      const key = `stackFrames ${pid} ${tid}`;
      let profile = this.profiles.get(key);
      if (!profile) {
        this.profiles.set(key, (profile = new CpuProfile(pid, tid)));
        for (const [id, node] of nodes) profile.node(ids.get(id)!, ids.get(node.parent) ?? NaN, { name: node.name, file: node.url, line: node.line });
        profile.lastsToLastSample();
      }
      profile.sample(ts, ids.get(idText(sample.get('sf'))) ?? NaN);
    }
  }

  async finish(work: Work): Promise<Profile> {
    const { build } = this;
    const profiles = [...this.profiles.values()].filter((profile) => profile.prepare());
    let beginUs = Infinity;
    for (const lane of this.lanes.values()) beginUs = Math.min(beginUs, lane.beginUs);
    for (const profile of profiles) beginUs = Math.min(beginUs, profile.beginUs);
    let endUs = beginUs;
    for (const lane of this.lanes.values()) endUs = Math.max(endUs, lane.endUs);
    for (const profile of profiles) if (profile.timed) endUs = Math.max(endUs, profile.end);
    const sampled = profiles.some((profile) => profile.timed) ? build.metric('cpu', 'CPU samples', 'us', true) : -1;
    const heap = profiles.some((profile) => profile.heap);
    const counted = heap ? build.metric('bytes', 'Bytes in use', 'bytes', false, true)
      : profiles.some((profile) => !profile.timed) ? build.metric('hits', 'CPU samples (without time)', 'us', false, true) : -1;
    let lost = 0;
    for (const profile of profiles) lost += profile.addTo(build, profile.timed ? sampled : counted, profile.pid === null ? -1 : this.thread(profile.pid, profile.tid), (us) => (us - beginUs) * MICROSECOND);
    const metric = this.lanes.size > 0 ? build.metric('events', 'Trace events', 'us', true) : -1;
    const odd = { unmatched: 0, cut: 0 };
    let done = 0;
    for (const lane of this.lanes.values()) {
      await lane.addTo(build, work, odd, (node, fromUs, toUs) => build.addSpan(metric, node, toUs - fromUs, (fromUs - beginUs) * MICROSECOND, (toUs - beginUs) * MICROSECOND, lane.thread));
      await work.tick(++done / this.lanes.size);
      if (build.nodes.count > work.limits.maxNodes) throw new InputError(`The stacks make more than ${work.limits.maxNodes / 1e6} million call-tree nodes, which is the limit; record a shorter time or fewer categories.`);
    }
    if (!build.hasSamples) throw new InputError('The Chrome trace holds neither CPU samples nor begin/end events; record it with the “JS Profiler” or another event category on.');
    this.rename();
    const { warnings } = build;
    if (lost > 0) warnings.push(`${lost === 1 ? '1 function has lost its caller' : `${lost} functions have lost their callers`}: a part of the CPU profile is missing; what they called is shown as a root, or as [unknown].`);
    if (odd.unmatched > 0) warnings.push(`${odd.unmatched} end events have no begin of their name and were skipped.`);
    if (odd.cut > 0) warnings.push(`${odd.cut} events overlap without being nested; they were cut where the event around them ends.`);
    if (this.untimed > 0) warnings.push(`${this.untimed} events without a time were skipped.`);
    return build.finish({ durationMs: Number.isFinite(endUs) ? (endUs - beginUs) * MICROSECOND : 0 });
  }

  private rename(): void {
    const { build } = this;
    for (const [key, { name, process }] of this.names) {
      const at = (process ? this.processOf : this.threadOf).get(key);
      if (at === undefined || !name) continue;
      if (process) build.processes[at] = { ...build.processes[at], name };
      else build.threads[at] = { ...build.threads[at], name };
    }
    for (const [pid, at] of this.processOf) {
      const main = this.names.get(`${pid} ${pid}`);
      if (!this.names.get(pid)?.name && main?.name) build.processes[at] = { ...build.processes[at], name: main.name };
    }
  }
}
