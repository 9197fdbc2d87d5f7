// SPDX-License-Identifier: MIT
/** A session that the CLI wrote: tests/golden/session_shop.json.gz is a recording of examples/shop.c (redacted, with --off-cpu). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exportView } from '../export/export';
import { gatherFacts } from '../insights/facts';
import { runRules } from '../insights/rules';
import { LAYER_DEP, LAYER_USER, type PresetName, type Transform } from '../model/types';
import { lines, open, request } from '../testing';
import type { Engine } from '../view/engine';
import { PRESET_NAMES } from '../view/rules';

async function shop(): Promise<Engine> {
  return open(new Uint8Array(readFileSync(new URL('../../../tests/golden/session_shop.json.gz', import.meta.url))), 'session_shop.json.gz');
}
/** Share of the CPU time at and below a function. */
function share(engine: Engine, name: string, over = {}): number {
  const view = engine.view(request({ metric: 'cpu', tables: true, ...over }));
  const { functions } = view.tables!;
  const i = Array.from(functions.key).findIndex((f) => engine.funcs.names[f] === name);
  return i < 0 ? 0 : functions.total[i] / view.status.shown;
}

describe('a session that the CLI wrote', () => {
  test('has every metric, lane, mark, counter and scope of the program', async () => {
    const engine = await shop();
    const { name, metrics, side } = engine.info();
    expect(name).toBe('shop (sample)');
    expect(metrics.map((m) => m.id)).toEqual(['cpu', 'offcpu', 'alloc_bytes', 'net_bytes', 'alloc_count', 'peak_bytes', 'leaked_bytes', 'leaked_count', 'temporary', 'scopes']);
    expect(side.events.filter((e) => e.type === 'mark').map((e) => e.text)).toEqual(['start', 'serving', 'closing']);
    expect([...side.timeline.counters.keys()]).toEqual(['sessions']);
    expect(side.scopeStats.map((s) => [engine.funcs.names[s.func], s.calls])).toEqual([['build_index', 1], ['request', 1500], ['rank_results', 1500], ['render_page', 1500], ['update_stock', 1500]]);
    expect(side.budgetViolations[0]).toMatchObject({ name: 'request', budgetNs: 20e6 });
    expect(side.timeline.points * side.timeline.intervalMs).toBeLessThan(side.meta.durationMs + 2 * side.timeline.intervalMs);
    expect(side.diagnostics.stackBackend).toBe('perf_event');
  });
  test('sampled totals agree with what the CLI computed', async () => {
    const engine = await shop();
    const total = engine.view(request({ metric: 'cpu' })).status.shown;
    for (const f of engine.info().side.functions.slice(0, 5)) {
      expect(share(engine, engine.funcs.names[f.func]) * 100).toBeCloseTo(f.totalPct, 0);
    }
    expect(total / 1000).toBeGreaterThan(0.9 * engine.info().side.summary.cpuMs);
    expect(total / 1000).toBeLessThan(1.01 * engine.info().side.summary.cpuMs);
  });
  test('windows tell start-up from serving', async () => {
    const engine = await shop();
    const serving = engine.info().side.events.find((e) => e.text === 'serving')!.startMs;
    const start = { window: { fromMs: 0, toMs: Math.floor(serving / 100) * 100 } };
    expect(share(engine, 'build_index', start)).toBeGreaterThan(0.6);
    expect(share(engine, 'rank_results', start)).toBe(0);
    const later = { window: { fromMs: serving + 200, toMs: serving + 2000 } };
    expect(share(engine, 'rank_results', later)).toBeGreaterThan(0.3);
    expect(share(engine, 'build_index', later)).toBe(0);
  });
  test('only my code leaves the layers of the user and keeps the total', async () => {
    const engine = await shop();
    const plain = engine.view(request({ metric: 'cpu' })).value[0];
    const mine = engine.view(request({ metric: 'cpu', onlyMyCode: true, tables: true }));
    expect(mine.value[0]).toBe(plain);
    const files = Array.from(mine.tables!.functions.key, (f) => engine.funcs.file[f]).filter((f) => f >= 0).map((f) => engine.files[f]);
    expect(files.filter((f) => f.endsWith('shop.c')).length).toBeGreaterThan(5);
    for (const layer of Array.from(mine.topology!.func.subarray(1), (f) => engine.funcs.layer[f])) expect([0, 7]).toContain(layer);
  });
  test('memory: the leak, the churn and the spike are found where they were planted', async () => {
    const engine = await shop();
    const found = runRules(gatherFacts(engine, null));
    const evidence = (rule: string): string => found.find((i) => i.rule === rule)?.evidence.map((e) => e.text).join('; ') ?? '(silent)';
    expect(evidence('dominant-function')).toContain('hash_word');
    expect(evidence('leak-suspicion')).toMatch(/remember_session.*allocated once/);
    expect(evidence('temporary-churn')).toContain('render_page');
    expect(evidence('memory-spike')).toContain('make_word');
    for (const quiet of ['recursion', 'debug-build', 'missing-symbols', 'lost-samples', 'thread-explosion', 'descriptor-growth', 'rust-hashing']) expect(evidence(quiet)).toBe('(silent)');
  });
  test('exports of it open again with the same sum', async () => {
    const engine = await shop();
    const view = engine.view(request({ metric: 'cpu' }));
    for (const format of ['folded', 'speedscope'] as const) {
      const again = await open(await exportView(engine, request({ metric: 'cpu' }), format, 'x', true).text());
      expect(again.view(request()).value[0]).toBe(view.value[0]);
    }
  });
});

/** tests/golden/plumbing.rs tells what was recorded; by two compilers, which name things differently. */
describe.each(['1.63', '1.95'])('rayon, futures and tokio at work, built by rustc %s', (rustc) => {
  const CRATES: Record<PresetName, RegExp> = { tokio: /^(tokio|mio)/, rayon: /^(rayon|crossbeam)/, futures: /^(futures|pin_)/ };
  const OURS = ['plumbing::crunch', 'plumbing::compare', 'plumbing::in_parallel', 'plumbing::in_futures', 'plumbing::in_tokio', 'plumbing::serve::{{closure}}', 'plumbing::step::{{closure}}'];
  const recorded = async (): Promise<Engine> => open(new Uint8Array(readFileSync(new URL(`../../../tests/golden/session_plumbing_${rustc}.json.gz`, import.meta.url))), 'session_plumbing.json.gz');
  /** Names that a view shows, by the crate that the CLI found for them. */
  function shown(engine: Engine, transforms: readonly Transform[]): { names: string[]; of(crates: RegExp): string[]; total: number } {
    const { tables, status } = engine.view(request({ metric: 'cpu', tables: true, transforms }));
    const functions = Array.from(tables!.functions.key);
    const names = functions.map((f) => engine.funcs.names[f]);
    return { names, total: status.shown, of: (crates) => names.filter((_, i) => crates.test(engine.crates[engine.funcs.crate[functions[i]]] ?? '')) };
  }

  test.each(PRESET_NAMES)('the preset of %s hides all of its crates and their drop glue, and nothing else', async (preset) => {
    const engine = await recorded();
    const before = shown(engine, []);
    const after = shown(engine, [{ kind: 'preset', preset }]);
    expect(before.of(CRATES[preset]).length).toBeGreaterThan(10);
    expect(after.of(CRATES[preset])).toEqual([]);
    expect(after.names.filter((name) => /drop_in_place/.test(name) && name.split('<')[1].replace(/^<*/, '').match(CRATES[preset]))).toEqual([]);
    expect(after.total).toBe(before.total);
    const futuresOfCore = (name: string): boolean => /^<?core::(future|pin|task)::|as core::future::/.test(name);
    const gone = before.names.filter((name) => !after.names.includes(name) && !before.of(CRATES[preset]).includes(name));
    expect(gone.filter((name) => !(preset === 'futures' && futuresOfCore(name)) && !name.startsWith('core::ptr::drop_in_place<'))).toEqual([]);
    for (const name of OURS) {
      expect(before.names, name).toContain(name);
      expect(share(engine, name, { transforms: [{ kind: 'preset', preset }] }), name).toBeCloseTo(share(engine, name), 9);
    }
  });

  test('with all three presets the program stands below its threads', async () => {
    const engine = await recorded();
    const view = engine.view(request({ metric: 'cpu', layers: (1 << LAYER_USER) | (1 << LAYER_DEP), transforms: PRESET_NAMES.map((preset) => ({ kind: 'preset', preset })) }));
    const callers = new Set(lines(engine, view).map((line) => /([^;]*);plumbing::crunch/.exec(line)?.[1]).filter(Boolean));
    expect([...callers].filter((name) => !name!.startsWith('plumbing::'))).toEqual([]);
    expect(callers).toContain('plumbing::serve::{{closure}}');
    expect(callers).toContain('plumbing::step::{{closure}}');
  });
});
