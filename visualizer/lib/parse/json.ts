// SPDX-License-Identifier: MIT
/**
 * JSON from bytes. JSON.parse wants one string (V8 ends at 512 MB) and makes an object per number of a column;
 * this reads long arrays of numbers into Float64Arrays and objects into Maps, so that no name from a file is ever
 * a property key. Nesting is bounded, and every error says where.
 *
 * Numbers follow JSON's grammar; one beyond a double's range reads as NaN, as null inside a number array does.
 * One thing is not JSON: `[+4000,1,6]`, whole numbers as differences, as `rustscope report --html` packs a session
 * (src/cli/analyze/differences.h). It reads as [4000,4001,4007].
 */
import { SliceTable } from '../model/columns';
import { decodeText } from '../text/decode';
import { InputError, type Work } from './input';

export type Json = null | boolean | number | string | readonly Json[] | Float64Array | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

const MAX_NESTING = 256;
/** Shorter number arrays stay plain: a typed array's own weight is some 200 bytes. */
const TYPED_FROM = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const POWERS = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);

export class JsonReader {
  private at = 0;
  private nesting = 0;
  private numbers = new Float64Array(4096);
  private readonly texts: SliceTable;

  constructor(private readonly bytes: Uint8Array, private readonly maxNesting = MAX_NESTING) {
    this.texts = new SliceTable(bytes, decodeText);
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.at = 3;
  }

  get offset(): number {
    return this.at;
  }

  /** The whole text as one value. */
  document(): Json {
    const value = this.value();
    this.end();
    return value;
  }

  /**
   * The top-level object, key by key, giving way in between. Arrays named in EACH are not kept: their elements go
   * to the handler one by one. Values of keys that are not WANTED are stepped over.
   */
  async object(work: Work, { each = new Map(), wanted }: { each?: ReadonlyMap<string, (element: Json) => void>; wanted?: ReadonlySet<string> } = {}): Promise<JsonObject> {
    const out = new Map<string, Json>();
    this.space();
    if (this.bytes[this.at] !== 0x7b) this.fail('an object was expected');
    this.at++;
    this.space();
    if (this.bytes[this.at] === 0x7d) this.at++;
    else for (;;) {
      const key = this.key();
      const handler = each.get(key);
      this.space();
      if (handler && this.bytes[this.at] === 0x5b) await this.elements(work, handler);
      else if (wanted && !wanted.has(key)) await this.stepOver(work);
      else out.set(key, this.value());
      await work.tick(this.at / this.bytes.length);
      if (!this.comma(0x7d)) break;
    }
    this.end();
    return out;
  }

  /** A top-level array (Chrome's bare event list), element by element; an array cut off at its end is accepted, as Chrome does. */
  async array(work: Work, handler: (element: Json) => void): Promise<void> {
    this.space();
    await this.elements(work, handler);
    this.end();
  }

  private async elements(work: Work, handler: (element: Json) => void): Promise<void> {
    this.at++;
    this.space();
    if (this.bytes[this.at] === 0x5d) {
      this.at++;
      return;
    }
    for (let i = 0; ; i++) {
      handler(this.value());
      if ((i & 255) === 0 && work.due) await work.tick(this.at / this.bytes.length);
      if (!this.comma(0x5d)) return;
    }
  }

  /** Past the value here; of an object or an array only texts and brackets are looked at. */
  private async stepOver(work: Work): Promise<void> {
    const c = this.bytes[this.at];
    if (c !== 0x7b && c !== 0x5b) {
      this.value();
      return;
    }
    let depth = 0;
    for (let texts = 0; this.at < this.bytes.length; this.at++) {
      const c = this.bytes[this.at];
      if (c === 0x7b || c === 0x5b) depth++;
      else if (c === 0x7d || c === 0x5d) {
        if (--depth > 0) continue;
        this.at++;
        return;
      } else if (c === QUOTE) {
        this.at = endOfText(this.bytes, this.at + 1);
        if ((++texts & 1023) === 0 && work.due) await work.tick(this.at / this.bytes.length);
      }
    }
    this.fail('a value was expected');
  }

  private end(): void {
    this.space();
    if (this.at < this.bytes.length && !(this.at === this.bytes.length - 1 && this.bytes[this.at] === 0)) this.fail('text follows the end of the document');
  }

  private fail(what: string): never {
    if (this.at >= this.bytes.length) throw new InputError(`The file is cut off: its JSON ends in the middle at byte ${this.bytes.length}; copy it again, or record again.`);
    throw new InputError(`The file is not valid JSON: ${what} at byte ${this.at}; it may have been edited or damaged.`);
  }

  private space(): void {
    const { bytes } = this;
    while (this.at < bytes.length) {
      const c = bytes[this.at];
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }

  /** After an element: true when another follows, false past the closing byte. */
  private comma(close: number): boolean {
    this.space();
    const c = this.bytes[this.at];
    if (c !== 0x2c && c !== close) this.fail(`“,” or “${String.fromCharCode(close)}” was expected`);
    this.at++;
    this.space();
    return c === 0x2c;
  }

  private key(): string {
    if (this.bytes[this.at] !== QUOTE) this.fail('a key was expected');
    const key = this.text();
    this.space();
    if (this.bytes[this.at] !== 0x3a) this.fail('“:” was expected');
    this.at++;
    return key;
  }

  value(): Json {
    this.space();
    const c = this.bytes[this.at];
    if (c === QUOTE) return this.text();
    if (c === 0x7b) return this.map();
    if (c === 0x5b) return this.list();
    if (c === 0x2d || (c >= 0x30 && c <= 0x39)) return this.number();
    if (c === 0x74) return this.word('true', true);
    if (c === 0x66) return this.word('false', false);
    if (c === 0x6e) return this.word('null', null);
    return this.fail('a value was expected');
  }

  private word<T>(word: string, value: T): T {
    for (let i = 0; i < word.length; i++) if (this.bytes[this.at + i] !== word.charCodeAt(i)) {
      this.at += i;
      this.fail('an unknown word');
    }
    this.at += word.length;
    return value;
  }

  private enter(): void {
    if (++this.nesting > this.maxNesting) throw new InputError(`The JSON is nested more than ${this.maxNesting} levels deep at byte ${this.at}, deeper than any profile; the file is damaged.`);
  }

  private map(): JsonObject {
    this.enter();
    const out = new Map<string, Json>();
    this.at++;
    this.space();
    if (this.bytes[this.at] === 0x7d) this.at++;
    else do {
      const key = this.key();
      out.set(key, this.value());
    } while (this.comma(0x7d));
    this.nesting--;
    return out;
  }

  private list(): Json {
    this.enter();
    this.at++;
    this.space();
    let out: Json;
    const c = this.bytes[this.at];
    if (c === 0x5d) {
      this.at++;
      out = [];
    } else if (c === 0x2b) {
      this.at++;
      out = this.sums();
    } else if (c === 0x2d || (c >= 0x30 && c <= 0x39) || c === 0x6e) out = this.column();
    else out = this.rest([]);
    this.nesting--;
    return out;
  }

  private rest(out: Json[]): Json[] {
    do out.push(this.value());
    while (this.comma(0x5d));
    return out;
  }

  /** An array that begins with a number or null: numbers as long as they last. */
  private column(): Json {
    let count = 0;
    let nulls = false;
    for (;;) {
      const c = this.bytes[this.at];
      let value: number;
      if (c === 0x2d || (c >= 0x30 && c <= 0x39)) value = this.number();
      else if (c === 0x6e) {
        value = this.word('null', NaN);
        nulls = true;
      } else return this.rest(this.plain(count, nulls));
      if (count === this.numbers.length) {
        const wider = new Float64Array(count * 2);
        wider.set(this.numbers);
        this.numbers = wider;
      }
      this.numbers[count++] = value;
      if (!this.comma(0x5d)) break;
    }
    return count < TYPED_FROM ? this.plain(count, nulls) : this.numbers.slice(0, count);
  }

  /** Differences between neighbours, summed up. */
  private sums(): Json {
    const column = this.column();
    let sum = 0;
    if (column instanceof Float64Array) for (let i = 0; i < column.length; i++) column[i] = sum += column[i];
    else if (!Array.isArray(column) || column.some((one) => typeof one !== 'number')) this.fail('a difference that is not a number');
    else return column.map((one) => (sum += one as number));
    return column;
  }

  private plain(count: number, nulls: boolean): Json[] {
    const out = new Array<Json>(count);
    for (let i = 0; i < count; i++) out[i] = nulls && Number.isNaN(this.numbers[i]) ? null : this.numbers[i];
    return out;
  }

  private number(): number {
    const { bytes } = this;
    const from = this.at;
    let at = from;
    const negative = bytes[at] === 0x2d;
    if (negative) at++;
    const first = at;
    let value = 0;
    let c = bytes[at];
    while (c >= 0x30 && c <= 0x39) {
      value = value * 10 + (c - 0x30);
      c = bytes[++at];
    }
    const digits = at - first;
    this.at = at;
    if (digits === 0 || (digits > 1 && bytes[first] === 0x30)) this.fail('a malformed number');
    if (c !== 0x2e && c !== 0x65 && c !== 0x45 && digits <= 15) return negative ? -value : value;
    let places = 0;
    if (c === 0x2e) {
      c = bytes[++at];
      const dot = at;
      while (c >= 0x30 && c <= 0x39) {
        value = value * 10 + (c - 0x30);
        c = bytes[++at];
      }
      places = at - dot;
      this.at = at;
      if (places === 0) this.fail('a malformed number');
    }
    // Up to 15 digits and a power of ten that is exact: one correctly rounded division.
    if (c !== 0x65 && c !== 0x45 && digits + places <= 15) return (negative ? -value : value) / POWERS[places];
    if (c === 0x65 || c === 0x45) {
      c = bytes[++at];
      if (c === 0x2b || c === 0x2d) c = bytes[++at];
      const exponent = at;
      while (c >= 0x30 && c <= 0x39) c = bytes[++at];
      this.at = at;
      if (at === exponent) this.fail('a malformed number');
    }
    if (at - from > 400) return NaN;
    const exact = Number(decodeText(bytes.subarray(from, at)));
    return Number.isFinite(exact) ? exact : NaN;
  }

  private text(): string {
    const { bytes } = this;
    const from = ++this.at;
    let at = from;
    let c = bytes[at];
    while (c !== QUOTE && c !== BACKSLASH && c >= 0x20) c = bytes[++at];
    this.at = at;
    if (c === QUOTE) {
      this.at++;
      // Keys and category names repeat: short texts are made once.
      return at - from <= 24 ? this.texts.names[this.texts.id(from, at)] : decodeText(bytes.subarray(from, at));
    }
    return this.escaped(from);
  }

  private escaped(from: number): string {
    const { bytes } = this;
    const parts: string[] = [];
    let run = from;
    for (;;) {
      const c = bytes[this.at];
      if (c === QUOTE || c === BACKSLASH) {
        if (this.at > run) parts.push(decodeText(bytes.subarray(run, this.at)));
        this.at++;
        if (c === QUOTE) return parts.join('');
        parts.push(this.escape());
        run = this.at;
      } else if (c === undefined || c < 0x20) this.fail('a control character inside a text');
      else this.at++;
    }
  }

  private escape(): string {
    const c = this.bytes[this.at];
    const at = '"\\/bfnrt'.indexOf(String.fromCharCode(c));
    if (c !== undefined && at >= 0) {
      this.at++;
      return '"\\/\b\f\n\r\t'[at];
    }
    if (c !== 0x75) this.fail('an unknown escape');
    let code = 0;
    for (let i = 1; i <= 4; i++) {
      const digit = parseInt(String.fromCharCode(this.bytes[this.at + i] ?? 0), 16);
      if (Number.isNaN(digit)) {
        this.at = Math.min(this.at + i, this.bytes.length);
        this.fail('a malformed \\u escape');
      }
      code = code * 16 + digit;
    }
    this.at += 5;
    return String.fromCharCode(code);
  }
}

/** Where the quote stands that ends the text that begins at AT; the end of BYTES when there is none. */
export function endOfText(bytes: Uint8Array, at: number): number {
  for (let end = bytes.indexOf(QUOTE, at); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let escapes = 0;
    while (end - escapes > at && bytes[end - escapes - 1] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return bytes.length;
}

/* ---- reading what was parsed: a value of another kind is as good as none ---- */

const NOTHING: JsonObject = new Map();

export function asObject(json: Json | undefined): JsonObject {
  return json instanceof Map ? json : NOTHING;
}
export function asList(json: Json | undefined): readonly Json[] {
  return Array.isArray(json) ? json : json instanceof Float64Array ? Array.from(json) : [];
}
export function asText(json: Json | undefined, otherwise = ''): string {
  return typeof json === 'string' ? json : otherwise;
}
export function asNumber(json: Json | undefined, otherwise = NaN): number {
  return typeof json === 'number' && Number.isFinite(json) ? json : otherwise;
}
/** A number, or a text that spells one: some writers quote all of them. */
export function numeric(json: Json | undefined, otherwise = NaN): number {
  return typeof json === 'string' && json.trim() !== '' ? asNumber(Number(json), otherwise) : asNumber(json, otherwise);
}
/** A column of numbers; what is none reads as NaN. */
export function asNumbers(json: Json | undefined): Float64Array {
  if (json instanceof Float64Array) return json;
  return Array.isArray(json) ? Float64Array.from(json as readonly Json[], (v) => (typeof v === 'number' ? v : typeof v === 'boolean' ? Number(v) : NaN)) : new Float64Array(0);
}
