// SPDX-License-Identifier: MIT
/**
 * The processed profile format of the Firefox Profiler, as samply writes it: tables per thread in older files, shared
 * by all threads in newer ones (`shared`). Without symbols samply names functions by address and puts the names into
 * a side-car (profile.syms.json, `--unstable-presymbolicate`), which may be dropped together with the profile.
 *
 * Every version is read (docs-developer/CHANGELOG-formats.md of firefox-devtools/profiler); what a change means for
 * stacks and values stands where the column is read. Of a version beyond the newest known the same columns are read.
 */
import { ProfileBuilder } from '../model/builder';
import type { Profile } from '../model/types';
import { InputError, type Work } from './input';
import { asList, asNumber, asNumbers, asObject, asText, JsonReader, type Json, type JsonObject } from './json';
import { unitOf } from './units';

/* ---- the side-car ---- */

interface Symbol { readonly rva: number; readonly size: number; readonly frames: readonly { name: string; file: string; line: number }[] /* innermost first */ }

interface Library { readonly name: string; readonly id: string; readonly known: ReadonlyMap<number, Symbol>; readonly sorted: readonly Symbol[] }

export class SymbolSidecar {
  private constructor(private readonly libraries: readonly Library[]) {}

  static async read(bytes: Uint8Array, work: Work): Promise<SymbolSidecar> {
    const root = await new JsonReader(bytes).object(work);
    const strings = asList(root.get('string_table')).map((s) => asText(s));
    const text = (json: Json | undefined): string => strings[asNumber(json, -1)] ?? '';
    const libraries = asList(root.get('data')).map((json): Library => {
      const o = asObject(json);
      const symbols = asList(o.get('symbol_table')).map((entry): Symbol => {
        const s = asObject(entry);
        const inner = asList(s.get('frames')).map((f) => {
          const frame = asObject(f);
          return { name: text(frame.get('function')) || text(s.get('symbol')), file: text(frame.get('file')), line: asNumber(frame.get('line'), 0) };
        });
        return { rva: asNumber(s.get('rva'), 0), size: asNumber(s.get('size'), Infinity), frames: inner.length > 0 ? inner : [{ name: text(s.get('symbol')), file: '', line: 0 }] };
      });
      const known = new Map<number, Symbol>();
      for (const pair of asList(o.get('known_addresses'))) {
        const [rva, index] = asNumbers(pair);
        if (symbols[index]) known.set(rva, symbols[index]);
      }
      return { name: asText(o.get('debug_name')), id: plainId(asText(o.get('debug_id'))), known, sorted: [...symbols].sort((a, b) => a.rva - b.rva) };
    });
    return new SymbolSidecar(libraries);
  }

  /** The frames at an address of a library, innermost first; null when it is not known. */
  find(debugName: string, debugId: string, address: number): Symbol['frames'] | null {
    const id = plainId(debugId);
    // The build decides; the name only where one side has no id.
    const library = this.libraries.find((l) => l.id !== '' && id !== '' && (l.id.startsWith(id) || id.startsWith(l.id))) ?? this.libraries.find((l) => l.name === debugName && (l.id === '' || id === ''));
    if (!library) return null;
    const exact = library.known.get(address);
    if (exact) return exact.frames;
    let low = 0;
    let high = library.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (library.sorted[middle].rva <= address) low = middle + 1;
      else high = middle;
    }
    const symbol = library.sorted[low - 1];
    return symbol && address < symbol.rva + symbol.size ? symbol.frames : null;
  }
}

function plainId(id: string): string {
  return id.replace(/-/g, '').toUpperCase();
}

/* ---- the profile ---- */

/** 71: null is a flag of the frame, no longer a value of its own; the column then holds 0. */
const NEWEST_VERSION = 71;

function damaged(what: string): InputError {
  return new InputError(`The Firefox Profiler file is damaged: ${what}; save it again.`);
}

export async function parseFirefox(bytes: Uint8Array, fileName: string, work: Work, sidecars: readonly SymbolSidecar[]): Promise<Profile> {
  work.enter('parsing');
  const root = await new JsonReader(bytes).object(work);
  const meta = asObject(root.get('meta'));
  const threads = asList(root.get('threads')).map(asObject);
  if (threads.length === 0) throw new InputError('The Firefox Profiler file has no threads; record again.');
  if (threads.some((t) => asObject(t.get('samples')).has('schema'))) {
    throw new InputError('This is a raw Gecko profile; open it in profiler.firefox.com and save it from there, the saved file can be read.');
  }
  const product = asText(meta.get('product'));
  const build = new ProfileBuilder('firefox', product || fileName);
  const version = asNumber(meta.get('preprocessedProfileVersion'), 0);
  if (version > NEWEST_VERSION) build.warnings.push(`The profile has format version ${version}, the newest that this visualizer knows is ${NEWEST_VERSION}; what is new in it may be missing or read wrongly. Update RustScope.`);
  work.enter('merging');
  const reader = new Reader(build, root, meta, sidecars, firstSampleMs(threads));
  for (let t = 0; t < threads.length; t++) {
    await reader.thread(threads[t], work);
    await work.tick((t + 1) / threads.length);
  }
  if (!build.hasSamples) throw new InputError('No thread of the profile has samples; record again while the program is busy.');
  if (reader.unnamed > 0 && sidecars.length === 0) build.warnings.push(`${reader.unnamed} functions have only an address; drop the .syms.json side-car with the profile, or save it from profiler.firefox.com after symbolication.`);
  const start = asNumber(meta.get('startTime')) + reader.beginMs;
  const intervalMs = asNumber(meta.get('interval'), 0);
  const side = build.finish();
  return { ...side, side: { ...side.side, meta: { ...side.side.meta, project: product || fileName, startTs: start, stackRateHz: intervalMs > 0 ? 1000 / intervalMs : 0, hostOs: asText(meta.get('oscpu')), kernel: asText(meta.get('platform')) } } };
}

class Reader {
  unnamed = 0;
  private readonly shared: JsonObject;
  private readonly libs: readonly JsonObject[];
  private readonly cpuUnit: string;
  private readonly processes = new Map<string, number>();
  private readonly metrics = new Map<string, number>();
  /** Shared tables are resolved once for all threads. */
  private sharedNodes: Int32Array | null = null;

  private readonly timed: boolean;

  /** Times are those since BEGIN_MS. */
  constructor(private readonly build: ProfileBuilder, root: JsonObject, meta: JsonObject, private readonly sidecars: readonly SymbolSidecar[], readonly beginMs: number) {
    // 54: the "time" of a size profile is a place in a file.
    this.timed = asText(asObject(meta.get('sampleUnits')).get('time'), 'ms') !== 'bytes';
    this.shared = asObject(root.get('shared'));
    this.libs = asList(root.get('libs')).map(asObject);
    this.cpuUnit = asText(asObject(meta.get('sampleUnits')).get('threadCPUDelta'));
  }

  private metric(key: string, label: string, unit: 'us' | 'ns' | 'samples' | 'bytes'): number {
    let at = this.metrics.get(key);
    if (at === undefined) this.metrics.set(key, (at = this.build.metric(key, label, unit, this.timed, true)));
    return at;
  }

  async thread(thread: JsonObject, work: Work): Promise<void> {
    const pid = String(asText(thread.get('pid')) || asNumber(thread.get('pid'), 0));
    const processType = asText(thread.get('processType'));
    const processName = asText(thread.get('processName')) || (processType === 'default' ? '' : processType);
    let process = this.processes.get(pid);
    if (process === undefined) this.processes.set(pid, (process = this.build.process(processName, Number.parseInt(pid, 10) || 0)));
    const index = this.build.thread(asText(thread.get('name'), 'thread'), process, Number.parseInt(asText(thread.get('tid')), 10) || asNumber(thread.get('tid'), 0));
    const nodes = this.nodes(thread);

    const samples = asObject(thread.get('samples'));
    const stacks = asNumbers(samples.get('stack'));
    const times = sampleTimes(samples, stacks.length, this.beginMs);
    const weights = weightsOf(samples);
    const cpu = asNumbers(samples.get('threadCPUDelta'));
    const weightType = asText(samples.get('weightType'), 'samples');
    const cpuUnit = unitOf(this.cpuUnit);
    const cpuMetric = cpuUnit.ms > 0 && cpu.some((v) => v > 0) ? this.metric('cpu', 'CPU time', cpuUnit.unit === 'ns' ? 'ns' : 'us') : -1;
    const main = weightType === 'bytes' ? this.metric('bytes', 'Bytes', 'bytes') : weightType === 'tracing-ms' ? this.metric('tracing', 'Time', 'us') : this.metric('samples', 'Samples', 'samples');
    for (let s = 0; s < stacks.length; s++) {
      if (Number.isNaN(stacks[s])) {
        // Idle as samples go; the time it took is nobody's, but it was taken.
        if (cpuMetric >= 0 && cpu[s] > 0) this.build.add(cpuMetric, this.build.node(-1, this.build.named('[no stack]')), cpu[s] * cpuUnit.scale, times[s], index);
        continue;
      }
      const node = nodes[stacks[s]];
      if (node === undefined) throw damaged(`a sample points to stack ${stacks[s]}, which does not exist`);
      const weight = weights.length > s && Number.isFinite(weights[s]) ? weights[s] : 1;
      if (weight !== 0) this.build.add(main, node, weightType === 'tracing-ms' ? weight * 1e3 : weight, times[s], index);
      if (cpuMetric >= 0 && cpu[s] > 0) this.build.add(cpuMetric, node, cpu[s] * cpuUnit.scale, times[s], index);
      if ((s & 1023) === 0 && work.due) await work.tick(s / stacks.length);
    }
    this.allocations(asObject(thread.get('nativeAllocations')), nodes, index);
  }

  private allocations(table: JsonObject, nodes: Int32Array, thread: number): void {
    const stacks = asNumbers(table.get('stack'));
    const times = asNumbers(table.get('time'));
    const weights = weightsOf(table);
    if (stacks.length === 0) return;
    const metric = this.metric('net_bytes', 'Native memory (net)', 'bytes');
    for (let a = 0; a < stacks.length; a++) {
      const node = nodes[stacks[a]];
      if (node !== undefined && Number.isFinite(weights[a]) && weights[a] !== 0) this.build.add(metric, node, weights[a], Math.max(0, times[a] - this.beginMs) || 0, thread);
    }
  }

  /** Table by table: the thread's own, else the shared one. */
  private table(thread: JsonObject, name: string): JsonObject {
    return asObject(thread.get(name) ?? this.shared.get(name));
  }

  /** Call-tree node of every stack of a thread's stackTable. */
  private nodes(thread: JsonObject): Int32Array {
    const own = thread.has('stackTable') || thread.has('frameTable');
    if (!own && this.sharedNodes) return this.sharedNodes;
    const stackTable = this.table(thread, 'stackTable');
    const stackFrame = asNumbers(stackTable.get('frame'));
    const prefix = prefixes(stackTable);
    if (prefix.length !== stackFrame.length) throw damaged(`its stack table has ${stackFrame.length} frames and ${prefix.length} prefixes`);
    const frames = this.frames(thread);
    const nodes = new Int32Array(prefix.length);
    for (let s = 0; s < prefix.length; s++) {
      if (prefix[s] >= s) throw damaged(`stack ${s} continues stack ${prefix[s]}, which comes later`);
      const parent = Number.isNaN(prefix[s]) || prefix[s] < 0 ? -1 : nodes[prefix[s]];
      const list = frames[stackFrame[s]];
      if (!list) throw damaged(`stack ${s} points to frame ${stackFrame[s]}, which does not exist`);
      let node = parent;
      for (const frame of list) node = this.build.node(node, frame);
      nodes[s] = node;
    }
    if (!own) this.sharedNodes = nodes;
    return nodes;
  }

  /** Builder frames of every entry of the frame table, outermost first: one, or several where a side-car knows inlined calls. */
  private frames(thread: JsonObject): (readonly number[])[] {
    const strings = asList(thread.get('stringArray') ?? thread.get('stringTable') ?? this.shared.get('stringArray')).map((s) => asText(s));
    const frameTable = this.table(thread, 'frameTable');
    const funcTable = this.table(thread, 'funcTable');
    const resourceTable = this.table(thread, 'resourceTable');
    const sources = this.table(thread, 'sources');
    const native = this.table(thread, 'nativeSymbols');
    const func = asNumbers(frameTable.get('func'));
    const address = asNumbers(frameTable.get('address'));
    const inlineDepth = asNumbers(frameTable.get('inlineDepth'));
    const nativeSymbol = asNumbers(frameTable.get('nativeSymbol'));
    const nativeLib = asNumbers(native.get('libIndex'));
    const name = asNumbers(funcTable.get('name'));
    const fileName = asNumbers(funcTable.get('fileName'));
    const source = asNumbers(funcTable.get('source'));
    const sourceFile = asNumbers(sources.get('filename'));
    const lineNumber = asNumbers(funcTable.get('lineNumber'));
    const resource = asNumbers(funcTable.get('resource'));
    const resourceLib = asNumbers(resourceTable.get('lib'));
    const frameLib = asNumbers(frameTable.get('lib'));
    const flagged = frameTable.has('flags');
    const flaggedFunc = funcTable.has('flags');
    const isJs = asNumbers(funcTable.get('isJS'));
    // Before 41 each thread has libraries of its own.
    const libs = thread.has('libs') ? asList(thread.get('libs')).map(asObject) : this.libs;
    /** 70: the frame says its library, before it was its function's resource. 71: nothing lies at the address 0 of one. */
    const libOf = (i: number, f: number): JsonObject | undefined => {
      if (flagged && !(address[i] > 0)) return undefined;
      if (frameLib.length > 0) return libs[frameLib[i]];
      return libs[Number.isFinite(nativeLib[nativeSymbol[i]]) ? nativeLib[nativeSymbol[i]] : resourceLib[resource[f]]];
    };
    const text = (index: number): string => strings[index] ?? '';
    const unnamed = new Set<number>();
    const out = Array.from(func, (f, i): readonly number[] => {
      if (name[f] === undefined) throw damaged(`frame ${i} points to function ${f}, which does not exist`);
      const lib = libOf(i, f);
      const module = lib ? asText(lib.get('path')) || asText(lib.get('name')) : '';
      const raw = text(name[f]);
      const inlined = inlineDepth[i] > 0;
      if (/^0x[0-9a-f]+$/i.test(raw)) {
        const found = lib && address[i] >= 0 ? this.symbol(lib, address[i]) : null;
        if (found) return [...found].reverse().map((s, depth) => this.build.frame(this.build.func({ name: s.name, module, file: s.file, line: 0 }), depth > 0));
        unnamed.add(f);
      }
      let where = fileName[f] >= 0 ? text(fileName[f]) : source[f] >= 0 && !(flaggedFunc && !(lineNumber[f] > 0)) ? text(sourceFile[source[f]]) : '';
      let line = lineNumber[f] > 0 ? lineNumber[f] : 0;
      // Before 18 the line was left in the file's name and the column stood in its place.
      const misplaced = isJs[f] === 1 && !funcTable.has('columnNumber') ? /^(.*):(\d+)$/.exec(where) : null;
      if (misplaced) {
        where = misplaced[1];
        line = Number(misplaced[2]);
      }
      const shown = /^0x/i.test(raw) && lib ? `${asText(lib.get('name')).replace(/^.*\//, '')}+${raw}` : raw || '[unknown]';
      return [this.build.frame(this.build.func({ name: shown, module, file: where, line }), inlined)];
    });
    this.unnamed += unnamed.size;
    return out;
  }

  private symbol(lib: JsonObject, address: number): Symbol['frames'] | null {
    for (const sidecar of this.sidecars) {
      const found = sidecar.find(asText(lib.get('debugName')) || asText(lib.get('pdbName')), asText(lib.get('breakpadId')), address);
      if (found) return found;
    }
    return null;
  }
}

/** 29: `duration` became `weight`. */
function weightsOf(table: JsonObject): Float64Array {
  return asNumbers(table.get('weight') ?? table.get('duration'));
}

/** 66: how far back the parent lies, 0 of a root; before its index, null of a root. */
function prefixes(stackTable: JsonObject): Float64Array {
  if (!stackTable.has('prefixOffset')) return asNumbers(stackTable.get('prefix'));
  return asNumbers(stackTable.get('prefixOffset')).map((offset, s) => (offset > 0 ? s - offset : NaN));
}

/** Where the axis begins: the first sample of all threads, which may be long after the program's start. */
function firstSampleMs(threads: readonly JsonObject[]): number {
  let first = Infinity;
  for (const thread of threads) for (const table of ['samples', 'nativeAllocations']) {
    const at = ownTimes(asObject(thread.get(table)))[0];
    if (at < first) first = at;
  }
  return Number.isFinite(first) ? first : 0;
}

/** Times of a table as the file says them; 50: the first of them and the steps between. */
function ownTimes(table: JsonObject): Float64Array {
  if (table.has('time')) return asNumbers(table.get('time'));
  let now = 0;
  return asNumbers(table.get('timeDeltas')).map((delta) => (now += Number.isFinite(delta) ? delta : 0));
}

function sampleTimes(samples: JsonObject, count: number, beginMs: number): Float64Array {
  const own = ownTimes(samples);
  return Float64Array.from({ length: count }, (_, s) => Math.max(0, own[s] - beginMs) || 0);
}
