// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { randomSession } from '../fixtures/profiles';
import { healthySession } from '../fixtures/session';
import { ALL_LAYERS, type CompareRequest, type CompareView } from '../model/types';
import { open, request } from '../testing';
import type { Engine } from '../view/engine';
import { pathOf } from '../view/layout';
import { Comparison } from './compare';

function compare(base: Engine, next: Engine, over: Partial<CompareRequest> = {}, metrics: readonly [string, string] = ['s0', 's0']): CompareView {
  const side = (engine: Engine, metric: string): CompareRequest['base'] => ({ profile: engine.id, metric, window: null });
  return new Comparison(base, metrics[0], next, metrics[1]).view({
    base: side(base, metrics[0]), next: side(next, metrics[1]), relative: false, direction: 'top-down', onlyMyCode: false, layers: ALL_LAYERS, collapseRecursion: 'off', foldRoot: false, haveTopology: 0, ...over,
  });
}
function nodes(view: CompareView): Record<string, readonly [number, number]> {
  const t = view.topology!;
  return Object.fromEntries(Array.from({ length: t.count - 1 }, (_, i) => [pathOf(t, i + 1).map((f) => view.funcs.names[f]).join(';'), [view.base[i + 1], view.next[i + 1]] as const]));
}

describe('compare', () => {
  test('the way to the reader’s code folds here too, and the table keeps its functions', async () => {
    const a = await open(healthySession().json());
    const b = await open(healthySession(100).json());
    const whole = compare(a, b, {}, ['cpu', 'cpu']);
    const view = compare(a, b, { foldRoot: true }, ['cpu', 'cpu']);
    const [[node, path]] = view.topology!.folds;
    expect(path.map((f) => view.funcs.names[f])).toEqual(['_start', 'std::rt::lang_start::<()>']);
    expect([view.base[node], view.next[node]]).toEqual([whole.base[0], whole.next[0]]);
    expect(nodes(view)['_start;std::rt::lang_start::<()>;shop::main']).toEqual(nodes(whole)['_start;std::rt::lang_start::<()>;shop::main']);
    expect(view.rows).toEqual(whole.rows);
  });
  test('functions are joined by name; what vanished and what is new stay visible', async () => {
    const view = compare(await open('main;old 4\nmain;same 6\n'), await open('main;same 9\nmain;new 3\n'));
    expect(nodes(view)).toEqual({ main: [10, 12], 'main;same': [6, 9], 'main;old': [4, 0], 'main;new': [0, 3] });
    expect(view.value[0]).toBe(22);
    const rows = Array.from({ length: view.rows.count }, (_, i) => [view.funcs.names[view.rows.func[i]], view.rows.baseSelf[i], view.rows.nextSelf[i]]);
    expect(rows.slice(0, 3)).toEqual([['old', 4, 0], ['same', 6, 9], ['new', 0, 3]]);
  });
  test('relative: shares of each side', async () => {
    const view = compare(await open('a 1\nb 1\n'), await open('a 300\nb 100\n'), { relative: true });
    expect(nodes(view)).toEqual({ a: [0.5, 0.75], b: [0.5, 0.25] });
    expect([view.baseTotal, view.nextTotal]).toEqual([2, 400]);
  });
  test('the two columns of a differential file', async () => {
    const engine = await open('main;a 10 20\nmain;b 5 0\nmain;c 0 7\n');
    expect(nodes(compare(engine, engine, {}, ['s0', 's1']))).toEqual({ main: [15, 27], 'main;a': [10, 20], 'main;b': [5, 0], 'main;c': [0, 7] });
  });
  test('two windows of one session', async () => {
    const engine = await open(randomSession(5).json());
    const half = (fromMs: number): CompareRequest['base'] => ({ profile: engine.id, metric: 'cpu', window: { fromMs, toMs: fromMs + 800 } });
    const view = compare(engine, engine, { base: half(0), next: half(800) }, ['cpu', 'cpu']);
    for (const [total, window] of [[view.base[0], half(0).window], [view.next[0], half(800).window]] as const) expect(total).toBe(engine.view(request({ metric: 'cpu', window })).value[0]);
  });
  test('a profile against itself differs nowhere, in any shape', async () => {
    const engine = await open(randomSession(6).json());
    for (const shape of [{}, { direction: 'bottom-up' as const }, { onlyMyCode: true }, { relative: true }]) {
      const view = compare(engine, engine, shape, ['cpu', 'cpu']);
      expect(Array.from(view.base)).toEqual(Array.from(view.next));
      expect(Array.from(view.rows.baseTotal)).toEqual(Array.from(view.rows.nextTotal));
    }
  });
  test('different units are refused, different sources are said', async () => {
    const session = await open(healthySession(20).json());
    expect(() => compare(session, session, {}, ['cpu', 'alloc_bytes'])).toThrow(/different units/);
    const anon = healthySession(20);
    anon.summary.set('heap_source', 'anon');
    expect(compare(session, await open(anon.json()), {}, ['cpu', 'cpu']).warnings[0]).toMatch(/heap was measured differently/);
  });
});
