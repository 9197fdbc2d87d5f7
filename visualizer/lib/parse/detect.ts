// SPDX-License-Identifier: MIT
/** Which format some bytes are in, by looking at them. File names lie: everything here is called profile.json. */
import { decodeText } from '../text/decode';
import type { FormatName } from '../model/types';

export type Detected = Exclude<FormatName, 'folded-diff'> | 'firefox-symbols' | 'unknown-json' | 'empty' | 'unknown';

/** Keys of a top-level JSON object that lie within TEXT, found without parsing: strings at depth 1 that are followed by a colon. */
function topLevelKeys(text: string, limit = 64): Set<string> {
  const keys = new Set<string>();
  let depth = 0;
  for (let i = 0; i < text.length && keys.size < limit; i++) {
    const c = text[i];
    if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === '"') {
      let end = i + 1;
      while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
      if (depth === 1 && /^\s*:/.test(text.slice(end + 1, end + 20))) keys.add(text.slice(i + 1, end));
      i = end;
    }
  }
  return keys;
}

const HEAD = 1 << 18;
/** speedscope and Chrome may put their telling key behind megabytes of events. */
const TAIL = 1 << 14;

export function detect(bytes: Uint8Array): Detected {
  let from = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (from < bytes.length && (bytes[from] === 0x20 || bytes[from] === 0x0a || bytes[from] === 0x0d || bytes[from] === 0x09)) from++;
  if (from === bytes.length) return 'empty';
  const head = decodeText(bytes.subarray(from, from + HEAD));
  if (bytes[from] === 0x7b) return detectJson(head, bytes);
  if (bytes[from] === 0x5b && /^\[\s*(\{|\]|$)/.test(head)) return 'chrome';
  if (looksLikePprof(bytes)) return 'pprof';
  if (looksLikePerfScript(head)) return 'perf-script';
  if (!head.slice(0, 4096).includes('\0') && /(^|\n)[^\n]*\S[ \t]+[\d.]+[ \t\r]*(\n|$)/.test(head)) return 'folded';
  return 'unknown';
}

function detectJson(head: string, bytes: Uint8Array): Detected {
  const keys = topLevelKeys(head);
  if (keys.has('schema_version') || (keys.has('generator') && keys.has('meta') && keys.has('timeline'))) return 'rustscope';
  if (keys.has('$schema') && /"\$schema"\s*:\s*"https?:\/\/www\.speedscope\.app/.test(head)) return 'speedscope';
  if (keys.has('shared') && keys.has('profiles')) return 'speedscope';
  if (keys.has('traceEvents')) return 'chrome';
  if (keys.has('nodes') && (keys.has('samples') || keys.has('startTime') || keys.has('endTime'))) return 'chrome';
  if (keys.has('meta') && (keys.has('threads') || keys.has('libs') || keys.has('shared'))) return 'firefox';
  if (keys.has('string_table') && keys.has('data')) return 'firefox-symbols';
  const tail = decodeText(bytes.subarray(Math.max(0, bytes.length - TAIL)));
  if (/"\$schema"\s*:\s*"https?:\/\/www\.speedscope\.app/.test(tail)) return 'speedscope';
  if (keys.has('shared') || keys.has('exporter') || keys.has('activeProfileIndex')) return 'speedscope';
  if (keys.has('meta')) return 'firefox';
  if (keys.has('traceEvents') || /"ph"\s*:\s*"[A-Za-z]"/.test(head)) return 'chrome';
  return 'unknown-json';
}

/** A protobuf whose first fields are those of profile.proto: sample_type, period_type and so on, all length-delimited or varint. */
function looksLikePprof(bytes: Uint8Array): boolean {
  let at = 0;
  for (let fields = 0; fields < 4 && at < bytes.length; fields++) {
    const tag = bytes[at++];
    const field = tag >> 3;
    const wire = tag & 7;
    if (field < 1 || field > 15 || (wire !== 0 && wire !== 2)) return false;
    const delimited = field <= 6 || field === 11 || field === 13;
    if (delimited !== (wire === 2) && field !== 13) return false;
    let value = 0;
    let shift = 1;
    let length = 0;
    for (;;) {
      if (at >= bytes.length || ++length > 10) return false;
      const c = bytes[at++];
      value += (c & 0x7f) * shift;
      shift *= 128;
      if (c < 0x80) break;
    }
    if (wire === 2) {
      at += value;
      if (at > bytes.length) return fields > 0;
      // Plain text also begins with "field 12, wire 2"-like letters; a message of the first field is short and binary.
    }
  }
  return at > 0 && bytes.subarray(0, Math.min(16, bytes.length)).some((c) => c < 0x09);
}

/** `comm 1234/1234 [000] 12.345678:   1 cycles:` and then indented `addr symbol (module)`. */
function looksLikePerfScript(head: string): boolean {
  return /^\S.*?\s+\d+(\/\d+)?\s+(\[\d+\]\s+)?([\w.+-]+\s+)?\d+\.\d+:.*\n(\s+[0-9a-f]+ .*\(.*\))?/m.test(head.slice(0, 1 << 16)) && /^\s+[0-9a-f]{4,} /m.test(head.slice(0, 1 << 16));
}
