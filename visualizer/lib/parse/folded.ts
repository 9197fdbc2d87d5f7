// SPDX-License-Identifier: MIT
/**
 * Folded stacks: `main;parse;malloc 12` a line, as FlameGraph and inferno read them.
 *
 *  - The count is what follows the last space. Fractions are kept (inferno cuts them off). A line whose count is
 *    negative, not a number, or missing is skipped and counted, as there.
 *  - Two counts a line are a differential file (`difffolded.pl`) when nearly all lines have them; a single function
 *    whose name ends in a number is not.
 *  - `; ` inside a bracket belongs to the name: `<impl Default for [T; _]>::default`. Elsewhere the space is trimmed.
 *  - CRLF and a byte-order mark are not part of names; lines starting with `#` are comments.
 *
 * Lines are read straight from bytes: a name is decoded when it is first seen, and a line that begins like the one
 * before continues from that one's nodes.
 */
import { ProfileBuilder } from '../model/builder';
import { SliceTable, viewOf } from '../model/columns';
import type { Profile } from '../model/types';
import { decodeText } from '../text/decode';
import { Incoming, InputError, MAX_DEPTH, type Work } from './input';

const SPACE = 0x20;
const TAB = 0x09;
const SEMICOLON = 0x3b;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** Where the last number of bytes[from, to) begins, or -1; the value goes to `parsed`. */
let parsed = 0;
function trailingNumber(bytes: Uint8Array, from: number, to: number): number {
  let at = to;
  let digits = 0;
  let dot = -1;
  while (at > from) {
    const c = bytes[at - 1];
    if (c >= 0x30 && c <= 0x39) digits++;
    else if (c === 0x2e && dot < 0) dot = at - 1;
    else break;
    at--;
  }
  if (digits === 0 || at === from || (bytes[at - 1] !== SPACE && bytes[at - 1] !== TAB)) return -1;
  let value = 0;
  const whole = dot < 0 ? to : dot;
  for (let i = at; i < whole; i++) value = value * 10 + (bytes[i] - 0x30);
  if (dot >= 0) {
    let scale = 0.1;
    let fraction = 0;
    if (to - dot - 1 <= 15) {
      for (let i = dot + 1; i < to; i++) fraction = fraction * 10 + (bytes[i] - 0x30);
      scale = 10 ** (to - dot - 1);
      value += fraction / scale;
    } else value += Number(`0${decodeText(bytes.subarray(dot, to))}`);
  }
  // inferno reads 64 bits; beyond, sums are no longer exact and the line is no measurement.
  if (value > 1.8446744073709552e19) return -1;
  parsed = value;
  return at;
}

function trimEnd(bytes: Uint8Array, from: number, to: number): number {
  while (to > from && (bytes[to - 1] === SPACE || bytes[to - 1] === TAB || bytes[to - 1] === 0x0d)) to--;
  return to;
}

function lineEnd(bytes: Uint8Array, from: number, filled: number): number {
  const at = bytes.indexOf(0x0a, from);
  return at < 0 || at > filled ? filled : at;
}

function isBlankOrComment(bytes: Uint8Array, from: number, to: number): boolean {
  return to <= from || bytes[from] === 0x23;
}

/** Two numbers on at least nine of ten counted lines among the first thousand. */
function isDifferential(bytes: Uint8Array, begin: number, ready: number): boolean {
  let lines = 0;
  let double = 0;
  for (let at = begin; at < ready && lines < 1000; ) {
    const end = lineEnd(bytes, at, ready);
    const to = trimEnd(bytes, at, end);
    if (!isBlankOrComment(bytes, at, to)) {
      const second = trailingNumber(bytes, at, to);
      if (second >= 0) {
        lines++;
        if (trailingNumber(bytes, at, trimEnd(bytes, at, second)) >= 0) double++;
      }
    }
    at = end + 1;
  }
  return lines > 0 && double >= lines * 0.9;
}

/** Of a file that is still arriving so much is held; more for a line that is longer. Enough to tell a differential file. */
const WINDOW_BYTES = 1 << 20;
/** A line further back than this is not worth holding for the frames it shares with the next. */
const SHARED_BYTES = 1 << 16;

/** How far bytes[0, FILLED) of a file that ends at SIZE hold whole lines. */
function wholeLines(bytes: Uint8Array, filled: number, size: number): number {
  return filled === size ? filled : bytes.lastIndexOf(0x0a, filled - 1) + 1;
}

/** Where the name that begins at FROM ends: at a semicolon, but not at one inside a bracket that a space follows. */
function frameEnd(bytes: Uint8Array, view: DataView, from: number, to: number): number {
  let brackets = 0;
  let counted = from;
  for (let at = semicolon(bytes, view, from, to); ; at = semicolon(bytes, view, at + 1, to)) {
    if (at >= to || bytes[at + 1] !== SPACE) return at;
    for (; counted < at; counted++) {
      if (bytes[counted] === OPEN) brackets++;
      else if (bytes[counted] === CLOSE && brackets > 0) brackets--;
    }
    if (brackets === 0) return at;
  }
}

/** The first semicolon of [from, to), or TO; four bytes a step: a word has a zero byte when the lowest borrow shows one. */
function semicolon(bytes: Uint8Array, view: DataView, from: number, to: number): number {
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const word = view.getInt32(at, true) ^ 0x3b3b3b3b;
    if (((word - 0x01010101) & ~word & 0x80808080) !== 0) break;
  }
  while (at < to && bytes[at] !== SEMICOLON) at++;
  return at;
}

/** Reads whole files, and files that are still arriving, through a window that moves over them. */
export async function parseFolded(source: Uint8Array | Incoming, name: string, work: Work): Promise<Profile> {
  const incoming = source instanceof Incoming ? source : null;
  const size = source instanceof Incoming ? source.size : source.length;
  let bytes = source instanceof Incoming ? new Uint8Array(Math.min(size, WINDOW_BYTES)) : source;
  let filled = incoming ? 0 : size; // bytes[0, filled) are there,
  let ready = filled; // of which [0, ready) are whole lines,
  let passed = 0; // and so many lie before them in the file
  while (incoming && filled < bytes.length) filled += await incoming.read(bytes, filled);
  if (incoming) ready = wholeLines(bytes, filled, size);
  work.enter('parsing');
  const begin = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const differential = isDifferential(bytes, begin, ready);
  const build = new ProfileBuilder(differential ? 'folded-diff' : 'folded', name, Math.min(1 << 20, size >> 6));
  const baseMetric = differential ? build.metric('s0', 'Before', 'samples', false) : -1;
  const metric = build.metric(differential ? 's1' : 's0', differential ? 'After' : 'Samples', 'samples', false);
  let view = viewOf(bytes);
  const names = new SliceTable(bytes, decodeText);
  const frameOf: number[] = []; // by slice id
  let skipped = 0;
  let deep = 0;

  // The path of the line before: frame i ends at pathEnd[i] (relative to its line) and led to pathNode[i].
  let pathEnd = new Int32Array(256);
  let pathNode = new Int32Array(256);
  let depth = 0;
  let previous = 0;
  let previousLength = 0;

  for (let at = begin; ; ) {
    while (at >= ready && passed + filled < size) {
      if (at - previous > SHARED_BYTES) {
        previous = at;
        previousLength = depth = 0;
      }
      const from = previous;
      bytes.copyWithin(0, from, filled);
      passed += from;
      filled -= from;
      at -= from;
      previous = 0;
      if (filled > bytes.length >> 1) {
        const wider = new Uint8Array(bytes.length * 2);
        wider.set(bytes);
        bytes = wider;
        view = viewOf(bytes);
        names.readFrom(bytes);
      }
      filled += await incoming!.read(bytes, filled);
      ready = wholeLines(bytes, filled, size - passed);
    }
    if (at >= ready) break;
    const end = lineEnd(bytes, at, filled);
    let to = trimEnd(bytes, at, end);
    const line = at;
    at = end + 1;
    if (isBlankOrComment(bytes, line, to)) continue;
    const countAt = trailingNumber(bytes, line, to);
    const count = parsed;
    if (countAt < 0) {
      skipped++;
      continue;
    }
    to = trimEnd(bytes, line, countAt);
    let before = 0;
    if (differential) {
      const beforeAt = trailingNumber(bytes, line, to);
      if (beforeAt < 0) {
        skipped++;
        continue;
      }
      before = parsed;
      to = trimEnd(bytes, line, beforeAt);
    }
    const length = to - line;
    if (length === 0) {
      skipped++;
      continue;
    }

    // Frames wholly inside the common beginning of both lines need no look-up.
    let common = 0;
    const most = Math.min(length, previousLength);
    while (common + 4 <= most && view.getInt32(line + common, true) === view.getInt32(previous + common, true)) common += 4;
    while (common < most && bytes[line + common] === bytes[previous + common]) common++;
    if (common === length && common < previousLength && bytes[previous + common] === SEMICOLON) common++;
    let keep = 0;
    while (keep < depth && pathEnd[keep] < common) keep++;
    if (common === length && length === previousLength) keep = depth;
    depth = keep;
    let node = depth > 0 ? pathNode[depth - 1] : -1;
    let i = line + (depth > 0 ? pathEnd[depth - 1] + 1 : 0);

    while (i < to) {
      while (i < to && bytes[i] === SPACE) i++;
      const from = i;
      i = frameEnd(bytes, view, from, to);
      if (i > from) {
        const slice = names.id(from, i);
        let frame = frameOf[slice];
        if (frame === undefined) frame = frameOf[slice] = foldedFrame(build, names.names[slice]);
        if (depth >= MAX_DEPTH) {
          deep++;
          break;
        }
        node = build.node(node, frame);
        if (depth === pathEnd.length) {
          pathEnd = widen(pathEnd);
          pathNode = widen(pathNode);
        }
        pathEnd[depth] = i - line;
        pathNode[depth++] = node;
      }
      i++;
    }
    previous = line;
    previousLength = length;
    if (node < 0) {
      skipped++;
      continue;
    }
    if (count !== 0) build.add(metric, node, count);
    if (before !== 0) build.add(baseMetric, node, before);
    if (build.nodes.count > work.limits.maxNodes) throw new InputError(`The stacks make more than ${work.limits.maxNodes / 1e6} million call-tree nodes, which is the limit; fold them with fewer distinct frames (without addresses, for example).`);
    if (work.due) await work.tick((passed + at) / size);
  }
  if (!build.hasSamples) {
    throw new InputError(skipped > 0
      ? 'No line has the form “frame;frame;frame count” with a positive count; fold the samples again (inferno-collapse-perf, stackcollapse-perf.pl).'
      : 'The file holds no samples; record again while the program is busy.');
  }
  if (skipped > 0) build.warnings.push(`${skipped} ${skipped === 1 ? 'line was' : 'lines were'} skipped: not of the form “frame;frame count” with a count that is not negative.`);
  if (deep > 0) build.warnings.push(`${deep} ${deep === 1 ? 'stack was' : 'stacks were'} cut at ${MAX_DEPTH} frames.`);
  return build.finish();
}

function widen(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(column.length * 2);
  wider.set(column);
  return wider;
}

/** Suffixes that FlameGraph's collapsers add: _[k] kernel, _[i] inlined, _[j] jit. The inlined mark is not part of the name. */
function foldedFrame(build: ProfileBuilder, name: string): number {
  const text = name.trimEnd();
  return text.endsWith('_[i]') ? build.frame(build.func({ name: text.slice(0, -4) }), true) : build.named(text);
}
