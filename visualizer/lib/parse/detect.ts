// SPDX-License-Identifier: MIT
/**
 * Which format some bytes are in, by looking at them. File names lie: everything here is called profile.json.
 *
 * JSON is told by the keys of its top level, wherever they stand: what lies between them is stepped over, not read.
 * Text is told by its lines, however long they are.
 */
import { decodeText } from '../text/decode';
import type { FormatName } from '../model/types';
import { foreignBinary, foreignJson, foreignText, PERFETTO } from './foreign';
import { endOfText } from './json';
import { isPerfScript } from './perfscript';

export type Detected =
  | { readonly format: Exclude<FormatName, 'folded-diff'> | 'firefox-symbols' | 'unknown-json' | 'empty' | 'unknown' }
  | { readonly format: 'foreign'; readonly sentence: string };

const QUOTE = 0x22;

export function detect(bytes: Uint8Array): Detected {
  let from = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (from < bytes.length && isSpace(bytes[from])) from++;
  if (from === bytes.length) return { format: 'empty' };
  const first = bytes[from];
  if (first === 0x7b) return detectJson(bytes, from);
  if (first === 0x5b && /^\[\s*(\{|\]|$)/.test(decodeText(bytes.subarray(from, from + 4096)))) return { format: 'chrome' };
  const binary = foreignBinary(bytes);
  if (binary) return { format: 'foreign', sentence: binary };
  return protobuf(bytes) ?? detectText(bytes, from);
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}

/* ---- JSON ---- */

/** Keys of the top level with the first bytes of their values; VISIT returns true to stop. */
function topLevelKeys(bytes: Uint8Array, from: number, visit: (key: string, valueAt: number) => boolean): void {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const c = bytes[at];
    if (c === 0x7b || c === 0x5b) depth++;
    else if (c === 0x7d || c === 0x5d) {
      if (--depth === 0) return;
    } else if (c === QUOTE) {
      const begin = at + 1;
      at = endOfText(bytes, begin);
      if (depth !== 1) continue;
      let after = at + 1;
      while (after < bytes.length && isSpace(bytes[after])) after++;
      if (bytes[after] !== 0x3a) continue;
      do after++; while (after < bytes.length && isSpace(bytes[after]));
      if (visit(decodeText(bytes.subarray(begin, Math.min(at, begin + 256))), after)) return;
      at = after - 1;
    }
  }
}

function detectJson(bytes: Uint8Array, from: number): Detected {
  const keys = new Set<string>();
  let found: Detected | null = null;
  topLevelKeys(bytes, from, (key, valueAt) => {
    keys.add(key);
    if (key === '$schema' && /^"https?:\/\/(www\.)?speedscope\.app/.test(decodeText(bytes.subarray(valueAt, valueAt + 64)))) found = { format: 'speedscope' };
    else found = byKeys(keys);
    return found !== null;
  });
  if (found) return found;
  const has = (key: string): boolean => keys.has(key);
  if (has('shared') || has('exporter') || has('activeProfileIndex')) return { format: 'speedscope' };
  const foreign = foreignJson(keys);
  if (foreign) return { format: 'foreign', sentence: foreign };
  if (has('head')) return { format: 'chrome' }; // V8's heap profile, which has no time
  if (has('meta')) return { format: 'firefox' };
  return { format: /"ph"\s*:\s*"[A-Za-z]"/.test(decodeText(bytes.subarray(from, from + (1 << 16)))) ? 'chrome' : 'unknown-json' };
}

/** What no further key can change. */
function byKeys(keys: ReadonlySet<string>): Detected | null {
  const has = (key: string): boolean => keys.has(key);
  if (has('schema_version') || (has('generator') && has('meta') && has('timeline'))) return { format: 'rustscope' };
  if (has('shared') && has('profiles')) return { format: 'speedscope' };
  if (has('traceEvents') || (has('stackFrames') && has('samples'))) return { format: 'chrome' };
  // A .cpuprofile: a list of nodes, or, before V8 5.3, a tree below `head`.
  if ((has('nodes') || has('head')) && (has('startTime') || has('endTime') || has('timeDeltas') || has('timestamps'))) return { format: 'chrome' };
  if (has('nodes') && has('samples') && !has('snapshot')) return { format: 'chrome' };
  if (has('meta') && (has('threads') || has('libs') || has('shared'))) return { format: 'firefox' };
  if (has('string_table') && has('data')) return { format: 'firefox-symbols' };
  return null;
}

/* ---- protobuf ---- */

/** The length-delimited or varint field at AT, null when there is none. */
function field(bytes: Uint8Array, at: number, end: number): { number: number; wire: number; value: number; body: number; next: number } | null {
  const tag = varint(bytes, at, end);
  if (!tag) return null;
  const wire = tag.value % 8;
  const number = Math.floor(tag.value / 8);
  if (number < 1) return null;
  if (wire === 1 || wire === 5) return { number, wire, value: 0, body: tag.next, next: tag.next + (wire === 1 ? 8 : 4) };
  if (wire !== 0 && wire !== 2) return null;
  const value = varint(bytes, tag.next, end);
  if (!value) return null;
  return { number, wire, value: value.value, body: value.next, next: wire === 2 ? value.next + value.value : value.next };
}

function varint(bytes: Uint8Array, at: number, end: number): { value: number; next: number } | null {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10 && at + i < end; i++) {
    const c = bytes[at + i];
    value += (c & 0x7f) * scale;
    scale *= 128;
    if (c < 0x80) return { value, next: at + i + 1 };
  }
  return null;
}

/** Fields of profile.proto that are messages or texts; the others are numbers, 13 (comment) is a list of them. */
const DELIMITED = new Set([1, 2, 3, 4, 5, 6, 11]);

/**
 * pprof by its first fields: sample_type, period_type and so on. A Perfetto trace is protobuf, too: nothing but field 1,
 * which there is a packet of many fields and in pprof two numbers (type and unit).
 */
function protobuf(bytes: Uint8Array): Detected | null {
  let at = 0;
  let fields = 0;
  let packets = 0;
  for (; fields < 8 && at < bytes.length; fields++) {
    const one = field(bytes, at, bytes.length);
    if (!one) return null;
    if (one.wire === 2 && one.next > bytes.length) return fields > 0 && packets === 0 ? { format: 'pprof' } : null;
    if (one.number === 1 && one.wire === 2 && isPacket(bytes, one.body, one.next)) packets++;
    else if (one.number > 15 || (one.wire !== 0 && one.wire !== 2) || (DELIMITED.has(one.number) !== (one.wire === 2) && one.number !== 13)) return null;
    at = one.next;
  }
  if (packets === fields && fields > 0) return { format: 'foreign', sentence: PERFETTO };
  // Plain text can begin with bytes that read as fields; a message has control bytes among its first.
  return packets === 0 && bytes.subarray(0, 16).some((c) => c < 0x09) ? { format: 'pprof' } : null;
}

/** A TracePacket: well-formed, and more than the two numbers of a ValueType. */
function isPacket(bytes: Uint8Array, from: number, to: number): boolean {
  let foreign = false;
  let at = from;
  while (at < to) {
    const one = field(bytes, at, to);
    if (!one || one.next > to) return false;
    if (one.number > 2 || one.wire !== 0) foreign = true;
    at = one.next;
  }
  return foreign && to <= bytes.length;
}

/* ---- text ---- */

/** So many lines that say something are looked at. */
const LINES = 400;
/** Of a longer line its beginning and its end. */
const LINE_HEAD = 2000;
const LINE_TAIL = 64;
/** A foreign head may stand behind a banner or a warning. */
const FOREIGN_LINES = 40;

function detectText(bytes: Uint8Array, from: number): Detected {
  if (bytes.subarray(from, from + 4096).includes(0)) return { format: 'unknown' };
  const lines: string[] = [];
  // From the start of the first line: its indentation tells.
  while (from > 0 && (bytes[from - 1] === 0x20 || bytes[from - 1] === 0x09)) from--;
  for (let at = from; at < bytes.length && lines.length < LINES; ) {
    let end = bytes.indexOf(0x0a, at);
    if (end < 0) end = bytes.length;
    const to = bytes[end - 1] === 0x0d ? end - 1 : end;
    if (to > at) {
      const line = to - at <= LINE_HEAD + LINE_TAIL ? decodeText(bytes.subarray(at, to)) : decodeText(bytes.subarray(at, at + LINE_HEAD)) + decodeText(bytes.subarray(to - LINE_TAIL, to));
      if (line.trim() !== '' && !/^#(\s|$)/.test(line)) lines.push(line);
    }
    at = end + 1;
  }
  const sentence = foreignText(commentsOf(bytes, from) + lines.slice(0, FOREIGN_LINES).join('\n'));
  if (sentence) return { format: 'foreign', sentence };
  if (isPerfScript(lines)) return { format: 'perf-script' };
  return { format: isFolded(lines) ? 'folded' : 'unknown' };
}

/** The comments that a text begins with: some formats are told by them. */
function commentsOf(bytes: Uint8Array, from: number): string {
  const head = decodeText(bytes.subarray(from, from + (1 << 13))).replace(/\r\n/g, '\n');
  return /^(#[^\n]*\n|\s*\n)*/.exec(head)![0];
}

/** `frame;frame 12`: more than half of the lines have a count behind a name, or frames. */
function isFolded(lines: readonly string[]): boolean {
  let fits = 0;
  let counted = 0;
  for (const line of lines) {
    const count = /[^\s\d.].*[ \t]-?[\d.]+(e[+-]?\d+)?\s*$/i.test(line) && !/^\s/.test(line);
    if (count) counted++;
    if (count || line.includes(';')) fits++;
  }
  return counted > 0 && fits * 2 > lines.length;
}
