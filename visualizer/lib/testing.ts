// SPDX-License-Identifier: MIT
/** Helpers of the unit tests: small profiles written as text, and the whole path from file to view in one thread. */
import type { ProfileInfo, View, ViewRequest } from './model/types';
import { ALL_LAYERS } from './model/types';
import { Work } from './parse/input';
import { openProfile } from './parse/open';
import { Engine } from './view/engine';
import { pathOf, selfValue } from './view/layout';

let lastId = 0;

export async function open(data: string | Uint8Array | object, name = 'test', limits?: { maxBytes: number; maxNodes: number }): Promise<Engine> {
  const bytes = data instanceof Uint8Array ? data : new TextEncoder().encode(typeof data === 'string' ? data : JSON.stringify(data));
  const buffer = bytes.slice().buffer as ArrayBuffer;
  const { profile, sizeBytes } = await openProfile({ name, data: buffer }, new Work(limits));
  return new Engine(++lastId, profile, sizeBytes);
}

/** The sentence a file is refused with. */
export async function refusal(data: string | Uint8Array | object, limits?: { maxBytes: number; maxNodes: number }): Promise<string> {
  try {
    await open(data, 'test', limits);
  } catch (error) {
    return (error as Error).message;
  }
  return '(accepted)';
}

export function request(over: Partial<ViewRequest> = {}): ViewRequest {
  return {
    profile: 0, metric: 's0', window: null, threads: null, processes: null, transforms: [], direction: 'top-down', func: null, onlyMyCode: false, layers: ALL_LAYERS,
    collapseRecursion: 'off', foldRoot: false, haveTopology: 0, tables: false, ...over,
  };
}

/** A view as folded text lines ("a;b 3"), one per node with self, sorted: what a test can read. */
export function lines(engine: Engine, view: View): string[] {
  const topology = view.topology!;
  const out: string[] = [];
  for (let n = 1; n < topology.count; n++) {
    const self = selfValue(topology, view.value, n);
    if (self !== 0) out.push(`${pathOf(topology, n).map((f) => engine.funcs.names[f]).join(';')} ${self}`);
  }
  return out.sort();
}

export function funcNamed(info: Pick<ProfileInfo, 'funcs'>, name: string): number {
  const at = info.funcs.names.indexOf(name);
  if (at < 0) throw new Error(`no function ${name}`);
  return at;
}

/** JSON with columns as differences, as `rustscope report --html` packs it (src/cli/analyze/differences.c). */
export function withDifferences(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|\[(-?\d+(?:,-?\d+)*)\]/g, (all, column?: string) => {
    if (column === undefined) return all;
    const values = column.split(',').map(Number);
    const packed = `[+${values.map((value, i) => value - (i > 0 ? values[i - 1] : 0)).join(',')}]`;
    return packed.length < all.length ? packed : all;
  });
}
