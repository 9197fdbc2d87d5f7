// SPDX-License-Identifier: MIT
/** What every parser shares: the limits, the sentence-bearing error, reading and unpacking, and giving way while working. */
import type { LoadProgress } from '../model/types';

/** An error whose message is one sentence for the person who dropped the file: what is wrong and what to do. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** Thrown inside a parser when the person pressed cancel. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** Bytes of one input after unpacking. A typed array cannot hold much more everywhere. */
export const MAX_BYTES = 1_000_000_000;
/** Nodes of one call tree: 16 million are 0.5 GB of columns. */
export const MAX_NODES = 16_000_000;
/** Frames in one stack; deeper ones keep their innermost frames. */
export const MAX_DEPTH = 100_000;

export interface Limits { readonly maxBytes: number; readonly maxNodes: number }
export const LIMITS: Limits = { maxBytes: MAX_BYTES, maxNodes: MAX_NODES };

/** Hooks that a running parser calls now and then. */
export class Work {
  private lastYield = Date.now();
  private stage: LoadProgress['stage'] = 'reading';
  constructor(
    readonly limits: Limits = LIMITS,
    private readonly report: (stage: LoadProgress['stage'], done: number) => void = () => undefined,
    private readonly isCancelled: () => boolean = () => false,
  ) {}

  enter(stage: LoadProgress['stage']): void {
    this.stage = stage;
    this.report(stage, 0);
  }

  /** Cheap to call often: every 50 ms it reports, lets messages in, and stops when cancelled. */
  async tick(done: number): Promise<void> {
    const now = Date.now();
    if (now - this.lastYield < 50) return;
    this.report(this.stage, Math.min(1, done));
    await breathe();
    this.lastYield = Date.now();
    if (this.isCancelled()) throw new CancelledError('cancelled');
  }

  /** For synchronous loops: worth an `await tick()`? */
  get due(): boolean {
    return Date.now() - this.lastYield >= 50;
  }
}

/** One turn of the event loop; setTimeout would cost 4 ms a turn when nested. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}

function tooBig(limit: number): InputError {
  return new InputError(`The file holds more than ${limit >= 1e9 ? `${limit / 1e9} GB` : `${limit / 1e6} MB`} of profile data, which is the limit; record a shorter time or a lower rate.`);
}

/**
 * A file that is still arriving, read from its front to its back by one reader. Nothing is kept of what was read but the
 * head, so a parser of lines needs a window's memory, not the file's: memory that is touched for the first time costs as
 * much as reading it.
 */
export class Incoming {
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private held: Uint8Array = new Uint8Array(0); // arrived and not yet read
  private arrived = 0;

  constructor(stream: ReadableStream<Uint8Array>, readonly size: number) {
    this.reader = stream.getReader();
  }

  /** The first bytes, AT_LEAST so many where there are; they are still to be read. */
  async head(atLeast: number): Promise<Uint8Array> {
    while (this.held.length < atLeast && this.arrived < this.size) {
      const more = (await this.piece())!;
      const longer = new Uint8Array(this.held.length + more.length);
      longer.set(this.held);
      longer.set(more, this.held.length);
      this.held = longer;
    }
    return this.held;
  }

  /** Puts what is there into INTO from AT on and returns how many bytes that were: at least one, but 0 at the end. */
  async read(into: Uint8Array, at: number): Promise<number> {
    if (this.held.length === 0) {
      const more = await this.piece();
      if (!more) return 0;
      this.held = more;
    }
    const taken = Math.min(this.held.length, into.length - at);
    into.set(this.held.subarray(0, taken), at);
    this.held = this.held.subarray(taken);
    return taken;
  }

  async whole(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(this.size);
    for (let at = 0; at < this.size; ) at += await this.read(bytes, at);
    return bytes;
  }

  /** The next bytes; null at the end. */
  private async piece(): Promise<Uint8Array | null> {
    if (this.arrived === this.size) return null;
    let bytes: Uint8Array | undefined;
    try {
      bytes = (await this.reader.read()).value;
    } catch { /* the connection broke */ }
    if (!bytes || bytes.length > this.size - this.arrived) throw endedEarly();
    this.arrived += bytes.length;
    return bytes;
  }
}

function endedEarly(): InputError {
  return new InputError('The file cannot be loaded: its download ended early; reload the page.');
}

/** The file at an address of the page's own origin; the policy refuses every other. While it arrives when its size is known. */
export async function download(url: string, work: Work): Promise<ArrayBuffer | Incoming> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: 'same-origin' });
  } catch {
    throw new InputError('The file cannot be loaded: nothing answers at its address; start “rustscope view” again.');
  }
  if (!response.ok) throw new InputError(`The file cannot be loaded: the server answered ${response.status}.`);
  const size = Number(response.headers.get('content-length') ?? NaN);
  if (size > work.limits.maxBytes) throw tooBig(work.limits.maxBytes);
  try {
    // The length is that of the compressed bytes when the server compressed them.
    if (!(size > 0) || !response.body || response.headers.has('content-encoding')) return await response.arrayBuffer();
  } catch {
    throw endedEarly();
  }
  return new Incoming(response.body, size);
}

/** All bytes of a dropped file, gzip removed (twice at most: some servers add a layer), text of 16-bit units as UTF-8. */
export async function readInput(data: Blob | ArrayBuffer, work: Work): Promise<Uint8Array> {
  work.enter('reading');
  const size = data instanceof ArrayBuffer ? data.byteLength : data.size;
  if (size > work.limits.maxBytes) throw tooBig(work.limits.maxBytes);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(data instanceof ArrayBuffer ? data : await data.arrayBuffer());
  } catch {
    throw new InputError('The file cannot be read; it may have been moved or changed after it was chosen.');
  }
  for (let layer = 0; layer < 2 && isGzip(bytes); layer++) bytes = await gunzip(bytes, work);
  return isUtf16(bytes) ? toUtf8(bytes, work) : bytes;
}

/** UTF-16 with a byte-order mark, as PowerShell's `>` writes it. */
export function isUtf16(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff));
}

async function toUtf8(bytes: Uint8Array, work: Work): Promise<Uint8Array> {
  const decoder = new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be');
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 1 << 20) {
    parts.push(encoder.encode(decoder.decode(bytes.subarray(at, at + (1 << 20)), { stream: at + (1 << 20) < bytes.length })));
    if (work.due) await work.tick(at / bytes.length);
  }
  return joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Unpacks up to the limit; a bomb stops there, having cost that much and no more. */
export async function gunzip(bytes: Uint8Array, work: Work): Promise<Uint8Array> {
  work.enter('unpacking');
  const stream = new DecompressionStream('gzip');
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  // Fed in pieces, so that backpressure keeps what is unpacked but not yet read small.
  const feed = (async () => {
    for (let at = 0; at < bytes.length; at += 1 << 16) await writer.write(bytes.slice(at, at + (1 << 16)));
    await writer.close();
  })();
  feed.catch(() => undefined);
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      total += value.length;
      if (total > work.limits.maxBytes) throw tooBig(work.limits.maxBytes);
      parts.push(value);
      if (work.due) await work.tick(0.5);
    }
  } catch (error) {
    reader.cancel().catch(() => undefined);
    if (error instanceof InputError || error instanceof CancelledError) throw error;
    throw new InputError('The gzip data is damaged or cut off; copy or download the file again.');
  }
  return joined(parts);
}
