// SPDX-License-Identifier: MIT
/**
 * The text of `perf script` (and of what writes like it: simpleperf's report_sample.py): a header line, frames
 * innermost first, an empty line. Without call graphs the one frame stands at the end of the header.
 *
 *     redis-server 1234/1250 [003] 5123.456789:    1003009 cycles:u:
 *             55d0c01b dictFind+0x1b (/usr/bin/redis-server)
 *       dict.c:480
 *             55d0c2aa lookupKey (inlined)
 *
 * Which fields a header has is the user's choice (`-F`); each may be missing but one that tells a header. The name of a
 * thread is any text, digits and slashes included: the numbers count from what is behind them. Lines of other shapes
 * (comments, tracepoint payloads, PERF_RECORD_… lines) are skipped; a sample without frames is kept as [no stack].
 */
import { ProfileBuilder } from '../model/builder';
import { FloatColumn, IntColumn, SliceTable } from '../model/columns';
import type { Profile } from '../model/types';
import { decodeText } from '../text/decode';
import { InputError, MAX_DEPTH, type Work } from './input';

/** What may be the pid and tid of a header: numbers between spaces. */
const IDS = /\s(-?\d+)(?:\/(-?\d+))?(?=\s|$)/g;
/** Behind them: cpu, flags (perf calls the field misc), time, period, event, and a frame or the payload of a tracepoint. */
const REST = /^(?:\s+\[\d+\])?(?:\s+[A-Za-z][A-Za-z.]*(?=\s))?(?:\s+(\d+\.\d+):(?=\s|$))?(?:(\s+)(\d+)(?=\s|$))?(?:\s+(\S*?[A-Za-z]\S*?):(?=\s|$))?(.*)$/s;
/** A header without pid and tid, with a time or at least an event. */
const ANONYMOUS = /^(.*?)\s*(?:\[\d+\]\s+)?(?:(\d+\.\d+):(?=\s|$))(?:(\s+)(\d+)(?=\s|$))?(?:\s+(\S*?[A-Za-z]\S*?):(?=\s|$))?(.*)$/s;
const EVENT_ONLY = /^\s*(?:(\d+)\s+)?([A-Za-z][^\s()]*):\s*$/;
const FRAME = /^\s*([0-9a-f]+)(?:\s+(\S.*))?$/;
/** A source line stands behind two spaces, a frame behind more or a tab. */
const SOURCE_LINE = /^ {2}[^\s]/;
/** perf right-aligns the period to this many columns, which tells it from a thread's id. */
const PERIOD_COLUMNS = 10;
/** A tracepoint's payload may be longer. */
const HEADER_BYTES = 4096;

interface Header { readonly comm: string; readonly pid: number; readonly tid: number; readonly seconds: number; readonly period: number; readonly event: string; readonly tail: string }

/** The sample that a line begins; null when it begins none. */
function parseHeader(line: string): Header | null {
  IDS.lastIndex = 0;
  for (let ids = IDS.exec(line); ids; ids = IDS.exec(line)) {
    const comm = line.slice(0, ids.index).trim();
    const rest = REST.exec(line.slice(IDS.lastIndex))!;
    const [, time, gap, period, event, tail] = rest;
    // The next number may be the id as well.
    IDS.lastIndex = ids.index + 1;
    if (comm === '') continue;
    if (time === undefined) {
      if (period !== undefined && gap.length + period.length <= PERIOD_COLUMNS) continue;
      if (tail.trim() !== '' && (event === undefined || !isInlineFrame(tail))) continue;
    }
    const pid = Number(ids[1]);
    return { comm, pid: ids[2] === undefined ? -1 : pid, tid: ids[2] === undefined ? pid : Number(ids[2]), seconds: time === undefined ? NaN : Number(time), period: period === undefined ? NaN : Number(period), event: event ?? '', tail };
  }
  const nameless = ANONYMOUS.exec(line);
  if (nameless) return { comm: nameless[1].trim(), pid: -1, tid: 0, seconds: Number(nameless[2]), period: nameless[4] === undefined ? NaN : Number(nameless[4]), event: nameless[5] ?? '', tail: nameless[6] };
  const bare = EVENT_ONLY.exec(line);
  return bare && !/^\s/.test(line) ? { comm: '', pid: -1, tid: 0, seconds: NaN, period: bare[1] === undefined ? NaN : Number(bare[1]), event: bare[2], tail: '' } : null;
}

/** `addr symbol+0xoff (module)`; an address alone in a payload is none. */
function isInlineFrame(text: string): boolean {
  return /^\s*[0-9a-f]+\s+(\[unknown\]|\S.*\+0x[0-9a-f]+|\S.*\(.*\))(\s|$)/.test(text);
}

const isFrameLine = (line: string): boolean => !SOURCE_LINE.test(line) && /^(\t\s*[0-9a-f]+| {4,}[0-9a-f]{3,})(\s+\S|\s*$)/.test(line);

/** Headers with frames below them or behind them; LINES are the first that are neither empty nor comments. */
export function isPerfScript(lines: readonly string[]): boolean {
  let headers = 0;
  let frames = 0;
  for (const [i, line] of lines.entries()) {
    const header = /^[^\t]/.test(line) ? parseHeader(line) : null;
    const telling = header !== null && (!Number.isNaN(header.seconds) || header.event !== '' || (i + 1 < lines.length && isFrameLine(lines[i + 1])));
    if (telling) {
      headers++;
      if (isInlineFrame(header.tail)) frames++;
    } else if (isFrameLine(line)) frames++;
  }
  // Frames without any header: -F ip,sym.
  return frames > 0 && (headers > 0 || frames === lines.length) && (headers + frames) * 2 > lines.length;
}

interface Event { readonly label: string; readonly node: IntColumn; readonly at: FloatColumn; readonly thread: IntColumn; readonly period: FloatColumn; periods: boolean; timed: boolean }
interface Current { readonly event: Event; readonly at: number; readonly thread: number; readonly period: number }

export async function parsePerfScript(bytes: Uint8Array, name: string, work: Work): Promise<Profile> {
  work.enter('parsing');
  const reader = new Reader(bytes, name);
  for (let at = 0; at < bytes.length; ) {
    let end = bytes.indexOf(0x0a, at);
    if (end < 0) end = bytes.length;
    let to = end;
    while (to > at && (bytes[to - 1] === 0x0d || bytes[to - 1] === 0x20 || bytes[to - 1] === 0x09)) to--;
    reader.line(at, to);
    at = end + 1;
    if (reader.build.nodes.count > work.limits.maxNodes) throw new InputError(`The stacks make more than ${work.limits.maxNodes / 1e6} million call-tree nodes, which is the limit; record a shorter time.`);
    if (work.due) await work.tick(at / bytes.length);
  }
  return reader.finish();
}

class Reader {
  readonly build: ProfileBuilder;
  private readonly lines: SliceTable;
  /** What an indented line is, by slice: a frame; or one of these. */
  private readonly kindOf: (number | undefined)[] = [];
  private readonly threads = new Map<string, number>();
  private readonly processes = new Map<number, number>();
  private readonly events = new Map<string, Event>();
  private readonly stack: number[] = [];
  private current: Current | null = null;
  private inline = false; // the last header had its frame behind it
  private firstMs = Infinity;

  constructor(private readonly bytes: Uint8Array, name: string) {
    this.build = new ProfileBuilder('perf-script', name);
    this.lines = new SliceTable(bytes, decodeText);
  }

  line(from: number, to: number): void {
    const { bytes } = this;
    if (to === from) return this.finishSample();
    if (bytes[from] === 0x23 && (to === from + 1 || bytes[from + 1] === 0x20 || bytes[from + 1] === 0x09)) return;
    const indented = bytes[from] === 0x20 || bytes[from] === 0x09;
    if (!indented || (this.inline && bytes[from] === 0x20)) return this.header(decodeText(bytes.subarray(from, Math.min(to, from + HEADER_BYTES))));
    const slice = this.lines.id(from, to);
    const kind = this.kindOf[slice] ?? (this.kindOf[slice] = this.kind(this.lines.names[slice]));
    if (kind === HEADER_LINE) return this.header(this.lines.names[slice]);
    if (kind === INLINED_MARK && this.stack.length > 0) {
      const last = this.stack.length - 1;
      this.stack[last] = this.build.frame(this.build.frameFunc(this.stack[last]), true);
    } else if (kind >= 0) {
      // Without a header above it the text has none at all (-F ip,sym).
      if (!this.current) this.current = this.sample(NO_HEADER);
      if (this.stack.length < MAX_DEPTH) this.stack.push(kind);
    }
  }

  private kind(line: string): number {
    if (SOURCE_LINE.test(line)) return /\(inlined\)\s*$/.test(line) ? INLINED_MARK : OTHER_LINE;
    if (line[0] === ' ') {
      const header = parseHeader(line);
      if (header && (!Number.isNaN(header.seconds) || header.event !== '')) return HEADER_LINE;
    }
    return parseFrame(this.build, line);
  }

  private header(line: string): void {
    this.finishSample();
    const header = parseHeader(line);
    this.inline = false;
    if (!header || header.event.startsWith('PERF_RECORD_') || header.tail.trimStart().startsWith('PERF_RECORD_')) return;
    this.current = this.sample(header);
    if (isInlineFrame(header.tail) || (header.event !== '' && /^\s*[0-9a-f]+$/.test(header.tail))) {
      const frame = parseFrame(this.build, header.tail);
      if (frame >= 0) this.stack.push(frame);
      this.inline = true;
    }
  }

  private sample(header: Header): Current {
    const label = header.event || 'samples';
    let event = this.events.get(label);
    if (!event) this.events.set(label, (event = { label, node: new IntColumn(), at: new FloatColumn(), thread: new IntColumn(), period: new FloatColumn(), periods: true, timed: true }));
    if (Number.isNaN(header.period)) event.periods = false;
    if (Number.isNaN(header.seconds)) event.timed = false;
    const ms = Number.isNaN(header.seconds) ? 0 : header.seconds * 1000;
    if (event.timed && ms < this.firstMs) this.firstMs = ms;
    return { event, at: ms, thread: this.thread(header), period: header.period };
  }

  private thread({ comm, pid, tid }: Header): number {
    if (comm === '' && tid === 0 && pid < 0) return -1;
    const key = `${pid}/${tid}/${comm}`;
    let thread = this.threads.get(key);
    if (thread === undefined) {
      if (pid >= 0 && !this.processes.has(pid)) this.processes.set(pid, this.build.process('', pid));
      this.threads.set(key, (thread = this.build.thread(comm, this.processes.get(pid) ?? -1, tid)));
    }
    return thread;
  }

  private finishSample(): void {
    const { current, stack, build } = this;
    if (!current) return;
    let node = -1;
    for (let f = stack.length - 1; f >= 0; f--) node = build.node(node, stack[f]);
    if (node < 0) node = build.node(-1, build.named('[no stack]'));
    const { event } = current;
    event.node.push(node);
    event.at.push(current.at);
    event.thread.push(current.thread);
    event.period.push(current.period);
    this.current = null;
    stack.length = 0;
  }

  finish(): Profile {
    this.finishSample();
    if (this.events.size === 0) throw new InputError('The perf script text holds no samples; write it with “perf script” after “perf record -g”.');
    for (const event of this.events.values()) addEvent(this.build, event, this.firstMs, this.events.size > 1);
    return this.build.finish();
  }
}

const OTHER_LINE = -1;
const HEADER_LINE = -2;
const INLINED_MARK = -3;
const NO_HEADER: Header = { comm: '', pid: -1, tid: 0, seconds: NaN, period: NaN, event: '', tail: '' };

/** `symbol+0xoff (module)`, cut behind the offset; without one before the last parenthesis that is balanced. */
function splitSymbol(text: string): { symbol: string; module: string } {
  const offset = /^(.*?)\+0x[0-9a-f]+(?:\s+\((.*)\))?$/.exec(text);
  if (offset) return { symbol: offset[1], module: offset[2] ?? '' };
  if (!text.endsWith(')')) return { symbol: text, module: '' };
  let open = 0;
  for (let at = text.length - 1; at > 0; at--) {
    if (text[at] === ')') open++;
    else if (text[at] === '(' && --open === 0) {
      return /\s/.test(text[at - 1]) ? { symbol: text.slice(0, at).trimEnd(), module: text.slice(at + 1, -1) } : { symbol: text, module: '' };
    }
  }
  const from = text.search(/\s\([/[]/);
  return from > 0 ? { symbol: text.slice(0, from), module: text.slice(from + 2, -1) } : { symbol: text, module: '' };
}

function parseFrame(build: ProfileBuilder, line: string): number {
  const match = FRAME.exec(line);
  if (!match) return OTHER_LINE;
  const [, address, found = '[unknown]'] = match;
  const inlined = /\s\(inlined\)$/.test(found);
  const { symbol, module: printed } = splitSymbol(inlined ? found.slice(0, -'(inlined)'.length).trimEnd() : found);
  // What is left of a file that was replaced or never had a name, and the offset that the field dsoff adds.
  const module = printed === '[unknown]' ? '' : printed.replace(/\+0x[0-9a-f]+$/, '').replace(/ \(deleted\)$/, '');
  if (symbol === '[unknown]') {
    const file = module.slice(module.lastIndexOf('/') + 1);
    return build.frame(build.func({ name: module === '' ? (match[2] === undefined ? `0x${address}` : '[unknown]') : `[${file || `0x${address}`}]`, module }), inlined);
  }
  return build.frame(build.func({ name: symbol, module }), inlined);
}

/** Sample counts always; and, where perf printed periods, what they stand for (nanoseconds for the clock events). */
function addEvent(build: ProfileBuilder, event: Event, firstMs: number, several: boolean): void {
  const clock = /^(cpu-clock|task-clock)/.test(event.label);
  const suffix = several ? ` (${event.label})` : '';
  const id = several ? `_${event.label}` : '';
  const period = event.periods ? build.metric(`period${id}`, clock ? `CPU time${suffix}` : event.label, clock ? 'ns' : 'count', event.timed, true) : -1;
  const samples = build.metric(`samples${id}`, `Samples${suffix}`, 'samples', event.timed, true);
  for (let i = 0; i < event.node.length; i++) {
    // Seconds of the uptime with up to nine places are more digits than a double has: what is left is nanoseconds.
    const at = Math.round((event.at.data[i] - firstMs) * 1e6) / 1e6;
    if (period >= 0) build.add(period, event.node.data[i], event.period.data[i], at, event.thread.data[i]);
    build.add(samples, event.node.data[i], 1, at, event.thread.data[i]);
  }
}
