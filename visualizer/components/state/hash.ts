// SPDX-License-Identifier: MIT
/**
 * The view in the address: #m=cpu&d=bottom-up&w=780~970&z=0.1~0.35&x=merge.12,preset.tokio&q=malloc … so that a link (or a
 * report file with a hash) opens where its author stood. Whatever does not parse, or names what the session has not, is
 * left out: a stale link still opens.
 */
import type { PresetName, ProfileInfo, Transform } from '@/lib/model/types';
import { ALL_LAYERS } from '@/lib/model/types';
import type { Query, Tab, TableTab } from './store';

const MODES = ['top-down', 'bottom-up', 'sandwich'] as const;
const TABLES = ['functions', 'crates', 'modules', 'memory', 'threads', 'scopes', 'benchmarks'] as const;
const FUNC_KINDS = ['merge', 'drop', 'focus', 'collapse-function'] as const;
const PRESETS: readonly PresetName[] = ['tokio', 'rayon', 'futures'];

function short(value: number): string {
  return String(Number(value.toPrecision(8)));
}

function transformText(transform: Transform): string {
  switch (transform.kind) {
    case 'collapse-crate':
    case 'merge-crate': return `${transform.kind}.${transform.crate}`;
    case 'collapse-module': return `${transform.kind}.${transform.module}`;
    case 'preset': return `preset.${transform.preset}`;
    default: return `${transform.kind}.${transform.func}`;
  }
}

function transformOf(text: string, info: ProfileInfo): Transform | null {
  const dot = text.lastIndexOf('.');
  const kind = text.slice(0, dot);
  const rest = text.slice(dot + 1);
  if (kind === 'preset') return PRESETS.includes(rest as PresetName) ? { kind, preset: rest as PresetName } : null;
  const index = Number(rest);
  if (!Number.isInteger(index) || index < 0) return null;
  if (kind === 'collapse-crate' || kind === 'merge-crate') return index < info.crates.length ? { kind, crate: index } : null;
  if (kind === 'collapse-module') return index < info.modules.length ? { kind, module: index } : null;
  const known = FUNC_KINDS.find((name) => name === kind);
  return known && index < info.funcs.count ? { kind: known, func: index } : null;
}

export function hashOf(tab: Tab): string {
  const { query, search, table, info } = tab;
  const parts: string[] = [];
  const add = (key: string, value: string): void => void parts.push(`${key}=${encodeURIComponent(value)}`);
  if (query.metric && query.metric !== info.opensOn) add('m', query.metric);
  if (query.mode !== 'top-down') add('d', query.mode);
  if (query.flame) add('up', '1');
  if (query.mode === 'sandwich' && query.func >= 0) add('f', String(query.func));
  if (query.window) add('w', `${short(query.window.fromMs)}~${short(query.window.toMs)}`);
  if (query.threads) add('t', query.threads.join('.'));
  if (query.processes) add('p', query.processes.join('.'));
  if (query.transforms.length) add('x', query.transforms.map(transformText).join(','));
  if (query.onlyMyCode) add('my', '1');
  if (query.layers !== ALL_LAYERS) add('l', query.layers.toString(16));
  if (query.recursion !== 'off') add('r', query.recursion);
  if (!query.foldRoot) add('root', '1');
  if (query.from > 0 || query.to < 1) add('z', `${short(query.from)}~${short(query.to)}`);
  if (search.text) add(search.regexp ? 'qr' : 'q', search.text);
  if (table !== 'functions') add('tab', table);
  return parts.join('&');
}

function pair(text: string | null): [number, number] | null {
  if (!text) return null;
  const [from, to, ...more] = text.split('~').map(Number);
  return !more.length && Number.isFinite(from) && Number.isFinite(to) && from >= 0 && from < to ? [from, to] : null;
}

function indexes(text: string | null, length: number): number[] | null {
  const list = text?.split('.').map(Number).filter((i) => Number.isInteger(i) && i >= 0 && i < length);
  return list?.length ? list : null;
}

export function queryFromHash(hash: string, info: ProfileInfo): Partial<Query> & { search?: { text: string; regexp: boolean }; table?: TableTab } {
  let params: URLSearchParams;
  try {
    params = new URLSearchParams(hash.replace(/^#/, ''));
  } catch {
    return {};
  }
  const result: { -readonly [K in keyof Query]?: Query[K] } & { search?: { text: string; regexp: boolean }; table?: TableTab } = {};
  const metric = params.get('m');
  if (info.metrics.some((known) => known.id === metric)) result.metric = metric!;
  const mode = MODES.find((name) => name === params.get('d'));
  const func = Number(params.get('f') ?? -1);
  if (mode === 'sandwich' && func >= 0 && func < info.funcs.count) Object.assign(result, { mode, func });
  else if (mode && mode !== 'sandwich') result.mode = mode;
  if (params.get('up') === '1') result.flame = true;
  const window = pair(params.get('w'));
  if (window) result.window = { fromMs: window[0], toMs: window[1] };
  const threads = indexes(params.get('t'), info.side.threads.length);
  if (threads) result.threads = threads;
  const processes = indexes(params.get('p'), info.side.processes.length);
  if (processes) result.processes = processes;
  const transforms = (params.get('x') ?? '').split(',').map((text) => transformOf(text, info)).filter((one) => one !== null);
  if (transforms.length) result.transforms = transforms;
  if (params.get('my') === '1') result.onlyMyCode = true;
  const layers = parseInt(params.get('l') ?? '', 16);
  if (layers > 0 && layers <= ALL_LAYERS) result.layers = layers;
  const recursion = params.get('r');
  if (recursion === 'direct' || recursion === 'all') result.recursion = recursion;
  if (params.get('root') === '1') result.foldRoot = false;
  const zoom = pair(params.get('z'));
  if (zoom && zoom[1] <= 1) Object.assign(result, { from: zoom[0], to: zoom[1] });
  const pattern = params.get('qr');
  const text = pattern ?? params.get('q');
  if (text) result.search = { text, regexp: pattern !== null };
  const table = TABLES.find((name) => name === params.get('tab'));
  if (table) result.table = table;
  return result;
}
