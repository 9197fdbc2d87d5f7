// SPDX-License-Identifier: MIT
/** speedscope's own format: sampled and evented profiles. The profiles of a file become threads; profiles of different units, metrics. */
import { ProfileBuilder } from '../model/builder';
import type { Profile } from '../model/types';
import { InputError, type Work } from './input';
import { asList, asNumber, asNumbers, asObject, asText, JsonReader, type Json, type JsonObject } from './json';
import { unitOf } from './units';

function damaged(what: string): InputError {
  return new InputError(`The speedscope file is damaged: ${what}; export it again.`);
}

export async function parseSpeedscope(bytes: Uint8Array, fileName: string, work: Work): Promise<Profile> {
  work.enter('parsing');
  const root = await new JsonReader(bytes).object(work);
  const profiles = asList(root.get('profiles')).map(asObject);
  if (profiles.length === 0) throw new InputError('The speedscope file holds no profiles; export it again.');
  const name = asText(root.get('name')) || fileName;
  const build = new ProfileBuilder('speedscope', name);
  const frames = asList(asObject(root.get('shared')).get('frames')).map((json) => {
    const o = asObject(json);
    return build.frame(build.func({ name: asText(o.get('name'), '[unknown]'), file: asText(o.get('file')), line: Math.max(0, asNumber(o.get('line'), 0)) }));
  });
  const frameAt = (index: number): number => {
    const frame = frames[index];
    if (frame === undefined) throw damaged(`frame ${index} of ${frames.length} is asked for`);
    return frame;
  };
  const begin = startMs(profiles);
  const metrics = new Map<string, number>();
  work.enter('merging');
  let unmatched = 0;
  for (let p = 0; p < profiles.length; p++) {
    const profile = profiles[p];
    const unitName = asText(profile.get('unit'), 'none');
    const unit = unitOf(unitName);
    let metric = metrics.get(unitName);
    if (metric === undefined) {
      const time = unit.ms > 0;
      metric = build.metric(`s${metrics.size}`, time ? 'Time' : unit.unit === 'bytes' ? 'Bytes' : 'Weight', unit.unit, time);
      metrics.set(unitName, metric);
    }
    const thread = build.thread(asText(profile.get('name'), `profile ${p + 1}`));
    const target: Target = { build, metric, thread, scale: unit.scale, ms: unit.ms, beginMs: begin, frameAt };
    const type = asText(profile.get('type'));
    if (type === 'sampled') await addSampled(profile, target, work);
    else if (type === 'evented') unmatched += await addEvented(profile, target, work);
    else throw damaged(`profile ${p + 1} is of the unknown type “${type}”`);
    if (build.nodes.count > work.limits.maxNodes) throw new InputError(`The stacks make more than ${work.limits.maxNodes / 1e6} million call-tree nodes, which is the limit; export fewer profiles at once.`);
  }
  if (!build.hasSamples) throw new InputError('The speedscope file holds no samples; record again while the program is busy.');
  if (unmatched > 0) build.warnings.push(`${unmatched} events close a frame that was not open and were skipped.`);
  return build.finish();
}

interface Target {
  readonly build: ProfileBuilder;
  readonly metric: number;
  readonly thread: number;
  readonly scale: number;
  readonly ms: number;
  readonly beginMs: number;
  frameAt(index: number): number;
}

function startMs(profiles: readonly JsonObject[]): number {
  let least = Infinity;
  for (const p of profiles) {
    const unit = unitOf(asText(p.get('unit')));
    const start = asNumber(p.get('startValue'), 0) * unit.ms;
    if (unit.ms > 0 && start < least) least = start;
  }
  return Number.isFinite(least) ? least : 0;
}

async function addSampled(profile: JsonObject, t: Target, work: Work): Promise<void> {
  const samples = asList(profile.get('samples'));
  const weights = asNumbers(profile.get('weights'));
  if (weights.length !== 0 && weights.length !== samples.length) throw damaged(`it has ${samples.length} samples and ${weights.length} weights`);
  let at = asNumber(profile.get('startValue'), 0);
  for (let s = 0; s < samples.length; s++) {
    const stack: ArrayLike<Json> = samples[s] instanceof Float64Array ? (samples[s] as Float64Array) : asList(samples[s]);
    const weight = weights.length === 0 ? 1 : weights[s];
    if (!Number.isFinite(weight)) throw damaged(`weight ${s} is not a number`);
    let node = -1;
    for (let f = 0; f < stack.length; f++) node = t.build.node(node, t.frameAt(stack[f] as number));
    if (node >= 0 && weight !== 0) addSpan(t, node, at, at + weight);
    at += weight;
    if ((s & 255) === 0 && work.due) await work.tick(s / samples.length);
  }
}

/** Time between two events belongs to what was on top. Returns the closes that had nothing to close. */
async function addEvented(profile: JsonObject, t: Target, work: Work): Promise<number> {
  const events = asList(profile.get('events'));
  const nodes: number[] = [];
  const frames: number[] = [];
  let last = asNumber(profile.get('startValue'), 0);
  let unmatched = 0;
  for (let e = 0; e < events.length; e++) {
    const event = asObject(events[e]);
    const at = asNumber(event.get('at'));
    if (Number.isNaN(at)) throw damaged(`event ${e} has no time`);
    if (nodes.length > 0 && at > last) addSpan(t, nodes[nodes.length - 1], last, at);
    last = Math.max(last, at);
    const index = asNumber(event.get('frame'), -1);
    const frame = t.frameAt(index);
    const type = asText(event.get('type'));
    if (type === 'O') {
      nodes.push(t.build.node(nodes.length > 0 ? nodes[nodes.length - 1] : -1, frame));
      frames.push(index);
    } else if (type === 'C') {
      const open = frames.lastIndexOf(index);
      if (open < 0) unmatched++;
      else nodes.length = frames.length = open;
    } else throw damaged(`event ${e} is of the unknown type “${type}”`);
    if ((e & 255) === 0 && work.due) await work.tick(e / events.length);
  }
  const end = asNumber(profile.get('endValue'), last);
  if (nodes.length > 0 && end > last) addSpan(t, nodes[nodes.length - 1], last, end);
  return unmatched;
}

/** Of a unit that is no time it is a value without one. */
function addSpan(t: Target, node: number, from: number, to: number): void {
  if (t.ms > 0) t.build.addSpan(t.metric, node, (to - from) * t.scale, from * t.ms - t.beginMs, to * t.ms - t.beginMs, t.thread);
  else t.build.add(t.metric, node, (to - from) * t.scale, 0, t.thread);
}
