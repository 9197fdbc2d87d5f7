// SPDX-License-Identifier: MIT
/** A view as a file. What is written is what is shown: the window, the chips and the direction of the request. */
import type { ExportFormat, Topology, Unit, View, ViewRequest } from '../model/types';
import { LAYERS } from '../model/types';
import { Engine } from '../view/engine';
import { selfValue } from '../view/layout';
import { flameSvg } from './svg';

export function exportView(engine: Engine, request: ViewRequest, format: ExportFormat, title: string, dark: boolean): Blob {
  const view = engine.view({ ...request, foldRoot: false, haveTopology: 0, tables: format === 'csv' });
  const topology = view.topology!;
  switch (format) {
    case 'svg': return new Blob([flameSvg(engine, view, topology, title, dark)], { type: 'image/svg+xml' });
    case 'folded': return new Blob(folded(engine, view, topology), { type: 'text/plain' });
    case 'speedscope': return new Blob(speedscope(engine, view, topology, title), { type: 'application/json' });
    case 'csv': return new Blob([csv(engine, view)], { type: 'text/csv' });
  }
}

/** Values as files carry them: whole where the unit is whole. */
function plain(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(12)));
}

/** The separators of the format may not occur in a name; inferno replaces them the same way. */
function foldedName(name: string): string {
  return name.replace(/;/g, ':').replace(/[\r\n]+/g, ' ').trim() || '[unknown]';
}

/** Pieces of text, so that no string grows to hundreds of megabytes. */
function* chunked(parts: Iterable<string>): Generator<string> {
  let buffer = '';
  for (const part of parts) {
    buffer += part;
    if (buffer.length > 1 << 20) {
      yield buffer;
      buffer = '';
    }
  }
  yield buffer;
}

function folded(engine: Engine, view: View, t: Topology): string[] {
  const names = engine.funcs.names.map(foldedName);
  function* rows(): Generator<string> {
    const path: string[] = [];
    for (let n = 1; n < t.count; n++) {
      const self = selfValue(t, view.value, n);
      if (self <= 0) continue;
      path.length = 0;
      for (let a = n; a > 0; a = t.parent[a]) path.push(t.func[a] < 0 ? '[unknown]' : names[t.func[a]]);
      yield `${path.reverse().join(';')} ${plain(self)}\n`;
    }
  }
  return [...chunked(rows())];
}

const SPEEDSCOPE_UNITS: Record<Unit, string> = { us: 'microseconds', ns: 'nanoseconds', bytes: 'bytes', count: 'none', samples: 'none', none: 'none' };

function speedscope(engine: Engine, view: View, t: Topology, title: string): string[] {
  const used = new Map<number, number>();
  const frames: string[] = [];
  const frameOf = (func: number): number => {
    let at = used.get(func);
    if (at === undefined) {
      used.set(func, (at = frames.length));
      const { file, line } = engine.funcs;
      const where = func >= 0 && file[func] >= 0 ? { file: engine.files[file[func]], ...(line[func] > 0 ? { line: line[func] } : {}) } : {};
      frames.push(JSON.stringify({ name: func < 0 ? '[unknown]' : engine.funcs.names[func], ...where }));
    }
    return at;
  };
  const samples: string[] = [];
  const weights: string[] = [];
  let end = 0;
  const path: number[] = [];
  for (let n = 1; n < t.count; n++) {
    const self = selfValue(t, view.value, n);
    if (self <= 0) continue;
    path.length = 0;
    for (let a = n; a > 0; a = t.parent[a]) path.push(frameOf(t.func[a]));
    samples.push(`[${path.reverse().join(',')}]`);
    weights.push(plain(self));
    end += self;
  }
  function* text(): Generator<string> {
    yield `{"$schema":"https://www.speedscope.app/file-format-schema.json","exporter":"rustscope","name":${JSON.stringify(title)},"activeProfileIndex":0,"shared":{"frames":[`;
    yield* separated(frames);
    yield `]},"profiles":[{"type":"sampled","name":${JSON.stringify(view.metric.label)},"unit":"${SPEEDSCOPE_UNITS[view.metric.unit]}","startValue":0,"endValue":${plain(end)},"samples":[`;
    yield* separated(samples);
    yield '],"weights":[';
    yield* separated(weights);
    yield ']}]}\n';
  }
  return [...chunked(text())];
}

function* separated(items: readonly string[]): Generator<string> {
  for (let i = 0; i < items.length; i++) yield i === 0 ? items[i] : `,${items[i]}`;
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replace(/"/g, '""')}"` : text;
}

function csv(engine: Engine, view: View): string {
  const table = view.tables!.functions;
  const { funcs, crates, files } = engine;
  const modules = engine.info().modules;
  const unit = view.metric.unit;
  const shown = view.status.shown || 1;
  const out = [`function,crate,module,file,line,layer,self_${unit},self_pct,total_${unit},total_pct${table.bytes.length > 0 ? ',alloc_bytes' : ''}`];
  for (let i = 0; i < table.count; i++) {
    const f = table.key[i];
    const at = (column: Int32Array, names: readonly string[]): string => (f >= 0 && column[f] >= 0 ? names[column[f]] : '');
    out.push([
      csvField(f < 0 ? '[unknown]' : funcs.names[f]), csvField(at(funcs.crate, crates)), csvField(f >= 0 && funcs.module[f] >= 0 ? modules[funcs.module[f]].name : ''), csvField(at(funcs.file, files)),
      f >= 0 && funcs.line[f] > 0 ? String(funcs.line[f]) : '', f >= 0 ? LAYERS[funcs.layer[f]] : '',
      plain(table.self[i]), ((100 * table.self[i]) / shown).toFixed(3), plain(table.total[i]), ((100 * table.total[i]) / shown).toFixed(3),
      ...(table.bytes.length > 0 ? [plain(table.bytes[i])] : []),
    ].join(','));
  }
  return `${out.join('\r\n')}\r\n`;
}
