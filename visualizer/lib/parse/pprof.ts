// SPDX-License-Identifier: MIT
/**
 * pprof's profile.proto. The decoder reads the handful of messages it needs straight from the bytes; samples are
 * only located in the first pass and read in the second, when all tables are known.
 *
 * A message that points outside the tables is refused: a wrong name is worse than none. A mapping only says in which
 * file code lies, so a location whose mapping has no record has no module. Negative lines are dropped.
 */
import { ProfileBuilder } from '../model/builder';
import { IntColumn } from '../model/columns';
import type { Profile } from '../model/types';
import { decodeText } from '../text/decode';
import { InputError, type Work } from './input';
import { unitOf } from './units';

/** Ids are 64 bits; those beyond a double's integers are kept exact. */
type Id = number | bigint;

function damaged(what: string): InputError {
  return new InputError(`The pprof profile is damaged: ${what}; write it again.`);
}

/** A cursor over one protobuf message. */
class Message {
  field = 0;
  private wire = 0;
  constructor(readonly bytes: Uint8Array, public at: number, readonly end: number) {}

  /** Moves to the next field; false at the end. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const tag = this.id();
    if (typeof tag !== 'number' || tag < 8) throw damaged(`no field begins at byte ${this.at}`);
    this.field = Math.floor(tag / 8);
    this.wire = tag % 8;
    return true;
  }

  /** The varint here as an unsigned number, exact. */
  id(): Id {
    let low = 0; // 49 bits
    let high = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) throw damaged('it ends inside a number');
      const c = this.bytes[this.at++];
      if (i < 7) {
        low += (c & 0x7f) * scale;
        scale *= 128;
      } else high += (c & 0x7f) * 128 ** (i - 7);
      if (c < 0x80) return high < 16 ? low + high * 2 ** 49 : BigInt.asUintN(64, BigInt(low) + (BigInt(high) << 49n));
    }
    throw damaged('a number has more than 64 bits');
  }

  /** The varint here as a signed 64-bit value, rounded to a double. */
  int(): number {
    const id = this.id();
    return typeof id === 'number' ? id : Number(BigInt.asIntN(64, id));
  }

  private expect(wire: number): void {
    if (this.wire !== wire) throw damaged(`field ${this.field} has another type than pprof gives it`);
  }

  idField(): Id {
    this.expect(0);
    return this.id();
  }
  intField(): number {
    this.expect(0);
    return this.int();
  }

  private length(): number {
    this.expect(2);
    const length = this.id();
    if (typeof length !== 'number' || length > this.end - this.at) throw damaged('it is cut off');
    return length;
  }

  message(): Message {
    const length = this.length();
    const inner = new Message(this.bytes, this.at, this.at + length);
    this.at += length;
    return inner;
  }

  /** A repeated varint field: packed or one by one. */
  repeated(read: (m: Message) => void): void {
    if (this.wire === 0) return read(this);
    for (const inner = this.message(); inner.at < inner.end; ) read(inner);
  }

  skip(): void {
    if (this.wire === 0) this.id();
    else if (this.wire === 2) this.message();
    else if (this.wire === 1 || this.wire === 5) {
      this.at += this.wire === 1 ? 8 : 4;
      if (this.at > this.end) throw damaged('it is cut off');
    } else throw damaged(`field ${this.field} has an unknown wire type`);
  }
}

interface LocationSpec { mapping: Id; address: Id; lines: { func: Id; line: number }[] }
interface FunctionSpec { name: number; system: number; file: number; line: number }

/** Tables and where the samples are. */
interface Tables {
  readonly types: { type: number; unit: number }[];
  readonly sampleStart: IntColumn;
  readonly sampleEnd: IntColumn;
  readonly mappings: Map<Id, number>; // → string index of the file
  readonly locations: Map<Id, LocationSpec>;
  readonly functions: Map<Id, FunctionSpec>;
  readonly strings: Message[];
  defaultType: number;
  durationNs: number;
  timeNs: number;
}

function readTables(bytes: Uint8Array): Tables {
  const t: Tables = {
    types: [], sampleStart: new IntColumn(), sampleEnd: new IntColumn(), mappings: new Map(), locations: new Map(), functions: new Map(), strings: [], defaultType: 0, durationNs: 0, timeNs: 0,
  };
  const m = new Message(bytes, 0, bytes.length);
  while (m.next()) {
    switch (m.field) {
      case 1: t.types.push(readValueType(m.message())); break;
      case 2: {
        const sample = m.message();
        t.sampleStart.push(sample.at);
        t.sampleEnd.push(sample.end);
        break;
      }
      case 3: readMapping(m.message(), t); break;
      case 4: readLocation(m.message(), t); break;
      case 5: readFunction(m.message(), t); break;
      case 6: t.strings.push(m.message()); break;
      case 9: t.timeNs = m.intField(); break;
      case 10: t.durationNs = m.intField(); break;
      case 14: t.defaultType = m.intField(); break;
      default: m.skip();
    }
  }
  return t;
}

function readValueType(m: Message): { type: number; unit: number } {
  const out = { type: 0, unit: 0 };
  while (m.next()) {
    if (m.field === 1) out.type = m.intField();
    else if (m.field === 2) out.unit = m.intField();
    else m.skip();
  }
  return out;
}

function readMapping(m: Message, t: Tables): void {
  let id: Id = 0;
  let file = 0;
  while (m.next()) {
    if (m.field === 1) id = m.idField();
    else if (m.field === 5) file = m.intField();
    else m.skip();
  }
  if (id !== 0) t.mappings.set(id, file);
}

function readLocation(m: Message, t: Tables): void {
  let id: Id = 0;
  const spec: LocationSpec = { mapping: 0, address: 0, lines: [] };
  while (m.next()) {
    if (m.field === 1) id = m.idField();
    else if (m.field === 2) spec.mapping = m.idField();
    else if (m.field === 3) spec.address = m.idField();
    else if (m.field === 4) {
      const line = { func: 0 as Id, line: 0 };
      const inner = m.message();
      while (inner.next()) {
        if (inner.field === 1) line.func = inner.idField();
        else if (inner.field === 2) line.line = inner.intField();
        else inner.skip();
      }
      spec.lines.push(line);
    } else m.skip();
  }
  t.locations.set(id, spec);
}

function readFunction(m: Message, t: Tables): void {
  let id: Id = 0;
  const spec: FunctionSpec = { name: 0, system: 0, file: 0, line: 0 };
  while (m.next()) {
    if (m.field === 1) id = m.idField();
    else if (m.field === 2) spec.name = m.intField();
    else if (m.field === 3) spec.system = m.intField();
    else if (m.field === 4) spec.file = m.intField();
    else if (m.field === 5) spec.line = m.intField();
    else m.skip();
  }
  t.functions.set(id, spec);
}

export async function parsePprof(bytes: Uint8Array, name: string, work: Work): Promise<Profile> {
  work.enter('parsing');
  const tables = readTables(bytes);
  if (tables.types.length === 0) throw new InputError('The pprof profile declares no sample types, so its numbers mean nothing; write it again.');
  if (tables.sampleStart.length === 0) throw new InputError('The pprof profile holds no samples; record again while the program is busy.');
  const build = new ProfileBuilder('pprof', name);
  const text = stringReader(tables.strings);
  const scales = addMetrics(build, tables, text);
  const framesAt = frameResolver(build, tables, text);
  const threads = new Map<string, number>();
  const threadAt = (label: ThreadLabel): number => {
    if (!label.name && label.id === null) return -1;
    const key = `${label.id} ${label.name}`;
    let at = threads.get(key);
    if (at === undefined) threads.set(key, (at = build.thread(label.name || `thread ${label.id}`, -1, label.id ?? 0)));
    return at;
  };

  work.enter('merging');
  const locations: Id[] = [];
  const values: number[] = [];
  for (let s = 0; s < tables.sampleStart.length; s++) {
    const m = new Message(bytes, tables.sampleStart.data[s], tables.sampleEnd.data[s]);
    locations.length = values.length = 0;
    const label: ThreadLabel = { name: '', id: null };
    while (m.next()) {
      if (m.field === 1) m.repeated((r) => locations.push(r.id()));
      else if (m.field === 2) m.repeated((r) => values.push(r.int()));
      else if (m.field === 3) readThreadLabel(m.message(), text, label);
      else m.skip();
    }
    if (values.length !== tables.types.length) throw damaged(`a sample has ${values.length} values for ${tables.types.length} sample types`);
    let node = -1;
    for (let l = locations.length - 1; l >= 0; l--) for (const frame of framesAt(locations[l])) node = build.node(node, frame);
    if (node < 0) node = build.node(-1, build.named('[no stack]'));
    const thread = threadAt(label);
    for (let v = 0; v < values.length; v++) if (values[v] !== 0) build.add(v, node, values[v] * scales[v], 0, thread);
    if (build.nodes.count > work.limits.maxNodes) throw new InputError(`The stacks make more than ${work.limits.maxNodes / 1e6} million call-tree nodes, which is the limit; aggregate the profile first (pprof -proto).`);
    if ((s & 255) === 0 && work.due) await work.tick(s / tables.sampleStart.length);
  }
  if (!build.hasSamples) throw new InputError('All samples of the pprof profile are zero; record again while the program is busy.');
  const made = build.finish({ durationMs: Math.max(0, tables.durationNs / 1e6) });
  return tables.timeNs > 0 ? { ...made, side: { ...made.side, meta: { ...made.side.meta, startTs: tables.timeNs / 1e6 } } } : made;
}

function stringReader(strings: readonly Message[]): (index: number) => string {
  const known = new Map<number, string>();
  return (index) => {
    if (index === 0 && strings.length === 0) return '';
    if (index < 0 || index >= strings.length) throw damaged(`text ${index} of ${strings.length} is asked for`);
    let text = known.get(index);
    if (text === undefined) known.set(index, (text = decodeText(strings[index].bytes.subarray(strings[index].at, strings[index].end))));
    return text;
  };
}

/** One metric per sample type, in the file's order. It opens on the type that the file names, else, as pprof does, on the last. */
function addMetrics(build: ProfileBuilder, tables: Tables, text: (index: number) => string): number[] {
  const wanted = tables.defaultType > 0 ? text(tables.defaultType) : '';
  let open = tables.types.length - 1;
  const scales = tables.types.map((t, i) => {
    const { unit, scale } = unitOf(text(t.unit));
    const type = text(t.type) || `value ${i}`;
    build.metric(`s${i}`, LABELS.get(type) ?? type, type === 'samples' ? 'samples' : unit, false, true);
    if (wanted && type === wanted) open = i;
    return scale;
  });
  build.openOn(open);
  return scales;
}

const LABELS = new Map([
  ['cpu', 'CPU time'], ['samples', 'Samples'], ['alloc_space', 'Bytes allocated'], ['alloc_objects', 'Allocations'], ['inuse_space', 'Bytes in use'], ['inuse_objects', 'Blocks in use'],
  ['contentions', 'Contentions'], ['delay', 'Delay'], ['wall', 'Wall time'], ['space', 'Bytes'], ['objects', 'Blocks'],
]);

interface ThreadLabel { name: string; id: number | null }

const THREAD_NAMES = new Set(['thread', 'thread_name', 'thread name', 'threadname']);
const THREAD_IDS = new Set(['thread', 'thread_id', 'thread id', 'tid', 'os_thread_id', 'os thread id']);

/** A label that names the sample's thread, or numbers it: no two writers agree on the key. */
function readThreadLabel(m: Message, text: (index: number) => string, label: ThreadLabel): void {
  let key = 0;
  let value = 0;
  let number: number | null = null;
  while (m.next()) {
    if (m.field === 1) key = m.intField();
    else if (m.field === 2) value = m.intField();
    else if (m.field === 3) number = m.intField();
    else m.skip();
  }
  const name = text(key).toLowerCase();
  if (value > 0 && THREAD_NAMES.has(name)) label.name = text(value);
  else if (THREAD_IDS.has(name)) {
    const id = value > 0 ? Number(text(value)) : number;
    if (id !== null && Number.isInteger(id) && label.id === null) label.id = id;
  }
}

/** Frames of a location, outermost first. */
function frameResolver(build: ProfileBuilder, tables: Tables, text: (index: number) => string): (id: Id) => readonly number[] {
  const known = new Map<Id, readonly number[]>();
  return (id) => {
    const cached = known.get(id);
    if (cached) return cached;
    const location = tables.locations.get(id);
    if (!location) throw damaged(`a sample points to location ${id}, which does not exist`);
    const module = text(tables.mappings.get(location.mapping) ?? 0);
    const frames: number[] = [];
    for (let l = location.lines.length - 1; l >= 0; l--) {
      const spec = tables.functions.get(location.lines[l].func);
      if (!spec) throw damaged(`a location points to function ${location.lines[l].func}, which does not exist`);
      const func = build.func({ name: text(spec.name) || text(spec.system) || '[unknown]', module, file: text(spec.file), line: Math.max(0, spec.line) });
      frames.push(build.frame(func, l < location.lines.length - 1));
    }
    if (frames.length === 0) {
      const where = module ? `${module.slice(module.lastIndexOf('/') + 1)}+` : '';
      frames.push(build.frame(build.func({ name: `${where}0x${location.address.toString(16)}`, module })));
    }
    known.set(id, frames);
    return frames;
  };
}
