// SPDX-License-Identifier: MIT
/** A session that the CLI wrote: tests/golden/session_shop.json.gz is a recording of examples/shop.c (redacted, with --off-cpu). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exportView } from '../export/export';
import { gatherFacts } from '../insights/facts';
import { runRules } from '../insights/rules';
import { open, request } from '../testing';
import type { Engine } from '../view/engine';

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
