// SPDX-License-Identifier: MIT
/**
 * The text of `perf script`: a header line, frames innermost first, an empty line.
 *
 *     redis-server 1234/1250 [003] 5123.456789:    1003009 cycles:u:
 *             55d0c01b dictFind+0x1b (/usr/bin/redis-server)
 *             55d0c2aa lookupKey (inlined)
 *
 * Lines of other shapes (comments, tracepoint payloads) are skipped; a sample without frames is kept as [no stack].
 */
import { ProfileBuilder } from '../model/builder';
import { FloatColumn, IntColumn, SliceTable } from '../model/columns';
import type { Profile } from '../model/types';
import { decodeText } from '../text/decode';
import { InputError, MAX_DEPTH, type Work } from './input';

const HEADER = /^(\S.*?)\s+(-?\d+)(?:\/(-?\d+))?\s+(?:\[(\d+)\]\s+)?(?:[-.\w+]{4,5}\s+)?(\d+\.\d+):\s*(?:(\d+)\s+)?([^\s:][^\s]*?)?:?\s*(?:$|\s)/;
const FRAME = /^\s*([0-9a-f]+)\s+(.+)\s+\((.*)\)\s*$/;

interface Event { readonly label: string; readonly node: IntColumn; readonly at: FloatColumn; readonly thread: IntColumn; readonly period: FloatColumn; periods: boolean }

export async function parsePerfScript(bytes: Uint8Array, name: string, work: Work): Promise<Profile> {
  work.enter('parsing');
  const build = new ProfileBuilder('perf-script', name);
  const lines = new SliceTable(bytes, decodeText);
  const frameOf: (number | undefined)[] = [];
  const threads = new Map<string, number>();
  const processes = new Map<number, number>();
  const events = new Map<string, Event>();
  const stack: number[] = [];
  let current: { event: Event; at: number; thread: number; period: number } | null = null;
  let firstMs = Infinity;

  const finishSample = (): void => {
    if (!current) return;
    let node = -1;
    for (let f = stack.length - 1; f >= 0; f--) node = build.node(node, stack[f]);
    if (node < 0) node = build.node(-1, build.named('[no stack]'));
    const { event } = current;
    event.node.push(node);
    event.at.push(current.at);
    event.thread.push(current.thread);
    event.period.push(current.period);
    current = null;
    stack.length = 0;
  };

  for (let at = 0; at < bytes.length; ) {
    let end = bytes.indexOf(0x0a, at);
    if (end < 0) end = bytes.length;
    let to = end;
    while (to > at && (bytes[to - 1] === 0x0d || bytes[to - 1] === 0x20)) to--;
    const from = at;
    at = end + 1;
    if (to === from) finishSample();
    else if (bytes[from] === 0x23) continue;
    else if (bytes[from] === 0x20 || bytes[from] === 0x09) {
      const frame = current ? frameFrom(from, to) : -1;
      if (frame >= 0 && stack.length < MAX_DEPTH) stack.push(frame);
    } else {
      finishSample();
      const header = HEADER.exec(decodeText(bytes.subarray(from, to)));
      if (header) current = startSample(header);
    }
    if (build.nodes.count > work.limits.maxNodes) throw new InputError(`The stacks make more than ${work.limits.maxNodes / 1e6} million call-tree nodes, which is the limit; record a shorter time.`);
    if (work.due) await work.tick(at / bytes.length);
  }
  finishSample();
  if (events.size === 0) throw new InputError('The perf script text holds no samples; write it with “perf script” after “perf record -g”.');
  for (const event of events.values()) addEvent(build, event, firstMs, events.size > 1);
  return build.finish();

  function frameFrom(from: number, to: number): number {
    const slice = lines.id(from, to);
    let frame = frameOf[slice];
    if (frame === undefined) frameOf[slice] = frame = parseFrame(build, lines.names[slice]);
    return frame;
  }

  function startSample(header: RegExpExecArray): NonNullable<typeof current> {
    const pid = Number(header[2]);
    const tid = header[3] === undefined ? pid : Number(header[3]);
    const label = header[7] ?? 'samples';
    let event = events.get(label);
    if (!event) events.set(label, (event = { label, node: new IntColumn(), at: new FloatColumn(), thread: new IntColumn(), period: new FloatColumn(), periods: true }));
    if (header[6] === undefined) event.periods = false;
    const threadKey = `${pid}/${tid}/${header[1]}`;
    let thread = threads.get(threadKey);
    if (thread === undefined) {
      if (header[3] !== undefined && !processes.has(pid)) processes.set(pid, build.process(header[1], pid));
      threads.set(threadKey, (thread = build.thread(header[1], processes.get(pid) ?? -1, tid)));
    }
    const ms = Number(header[5]) * 1000;
    if (ms < firstMs) firstMs = ms;
    return { event, at: ms, thread, period: Number(header[6] ?? 1) };
  }
}

function parseFrame(build: ProfileBuilder, line: string): number {
  const match = FRAME.exec(line);
  if (!match) return -1;
  const [, address, symbol, module] = match;
  const inlined = module === 'inlined';
  const name = symbol.replace(/\+0x[0-9a-f]+$/, '');
  if (name === '[unknown]') {
    const file = module.slice(module.lastIndexOf('/') + 1);
    return build.frame(build.func({ name: module === '[unknown]' ? '[unknown]' : `[${file || `0x${address}`}]`, module }));
  }
  return build.frame(build.func({ name, module: inlined || module === '[unknown]' ? '' : module }), inlined);
}

/** Sample counts always; and, where perf printed periods, what they stand for (nanoseconds for the clock events). */
function addEvent(build: ProfileBuilder, event: Event, firstMs: number, several: boolean): void {
  const clock = /^(cpu-clock|task-clock)/.test(event.label);
  const suffix = several ? ` (${event.label})` : '';
  const id = several ? `_${event.label}` : '';
  const period = event.periods ? build.metric(`period${id}`, clock ? `CPU time${suffix}` : event.label, clock ? 'ns' : 'count', true) : -1;
  const samples = build.metric(`samples${id}`, `Samples${suffix}`, 'samples', true);
  for (let i = 0; i < event.node.length; i++) {
    if (period >= 0) build.add(period, event.node.data[i], event.period.data[i], event.at.data[i] - firstMs, event.thread.data[i]);
    build.add(samples, event.node.data[i], 1, event.at.data[i] - firstMs, event.thread.data[i]);
  }
}
