// SPDX-License-Identifier: MIT
/** The corpus that the CLI's importers share: tests/formats holds inputs and what they must give; its README tells the fields. */
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { MetricInfo } from '../model/types';
import { lines, open, refusal, request } from '../testing';
import type { Engine } from '../view/engine';

type Stacks = Record<string, number>;
interface Expected {
  readonly refused?: string;
  readonly format?: string;
  readonly opens_on?: string;
  readonly duration_ms?: number;
  readonly start_unix_ms?: number;
  readonly metrics?: readonly { label: string; unit: string; total: number; stacks: Stacks }[];
  readonly windows?: readonly { label: string; from_ms: number; to_ms: number; stacks: Stacks }[];
  readonly processes?: readonly { pid: number; name: string }[];
  readonly threads?: readonly { tid: number; name: string; values?: Record<string, number> }[];
  readonly modules?: Record<string, string | null>;
  readonly inlined?: readonly string[];
  readonly warnings?: readonly string[];
}

const FOLDER = new URL('../../../tests/formats/', import.meta.url);
const SUFFIX = '.expect.json';
const CASES = readdirSync(FOLDER).filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));

function metric(engine: Engine, label: string): MetricInfo {
  const found = engine.info().metrics.find((one) => one.label === label);
  if (!found) throw new Error(`no metric ${label} among ${engine.info().metrics.map((one) => one.label)}`);
  return found;
}

/** Sums of a thousandth of a unit are no difference: they are rounding. */
function compare(engine: Engine, want: Stacks, over: Parameters<typeof request>[0]): void {
  const got = lines(engine, engine.view(request(over))).map((line) => /^(.*) (\S+)$/s.exec(line)!);
  expect(Object.fromEntries(got.map(([, stack, value]) => [stack, Math.round(Number(value) * 1e3) / 1e3]))).toEqual(want);
}

function check(engine: Engine, want: Expected): void {
  const { profile } = engine;
  const info = engine.info();
  if (want.format) expect(profile.format).toBe(want.format);
  if (want.opens_on) expect(info.metrics.find((one) => one.id === info.opensOn)?.label).toBe(want.opens_on);
  if (want.duration_ms !== undefined) expect(info.side.meta.durationMs).toBeCloseTo(want.duration_ms, 5);
  if (want.start_unix_ms !== undefined) expect(info.side.meta.startTs).toBe(want.start_unix_ms);
  for (const one of want.metrics ?? []) {
    const found = metric(engine, one.label);
    expect(found.unit).toBe(one.unit);
    expect(found.total).toBeCloseTo(one.total, 3);
    compare(engine, one.stacks, { metric: found.id });
  }
  for (const one of want.windows ?? []) compare(engine, one.stacks, { metric: metric(engine, one.label).id, window: { fromMs: one.from_ms, toMs: one.to_ms } });
  if (want.processes) expect(info.side.processes.map(({ pid, name }) => ({ pid, name }))).toEqual(want.processes);
  if (want.threads) expect(info.side.threads.map(({ tid, name }) => ({ tid, name }))).toEqual(want.threads.map(({ tid, name }) => ({ tid, name })));
  for (const [at, thread] of (want.threads ?? []).entries()) for (const [label, value] of Object.entries(thread.values ?? {})) {
    const { key, total } = engine.view(request({ metric: metric(engine, label).id, tables: true })).tables!.threads;
    expect(total[key.indexOf(at)], `${label} of ${thread.name}`).toBe(value);
  }
  for (const [func, path] of Object.entries(want.modules ?? {})) {
    const at = engine.funcs.names.indexOf(func);
    expect(at, func).toBeGreaterThanOrEqual(0);
    expect(engine.funcs.module[at] < 0 ? null : info.modules[engine.funcs.module[at]].path, func).toBe(path);
  }
  const { topology } = engine.view(request({ metric: info.metrics[0].id }));
  for (const func of want.inlined ?? []) expect(topology!.flags[topology!.func.indexOf(engine.funcs.names.indexOf(func))] & 1, func).toBe(1);
  const { warnings } = info.side.diagnostics;
  for (const text of want.warnings ?? []) expect(warnings.join('\n')).toContain(text);
  // What the file does not give reason to may not be warned of.
  if (!want.warnings) expect(warnings.filter((text) => !/only an address/.test(text))).toEqual([]);
}

describe('files of the corpus', () => {
  test('are there', () => expect(CASES.length).toBeGreaterThan(55));
  test.each(CASES)('%s', async (name) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, FOLDER)));
    const want = JSON.parse(readFileSync(new URL(name + SUFFIX, FOLDER), 'utf8')) as Expected;
    for (const data of [bytes, new Uint8Array(gzipSync(bytes))]) {
      if (want.refused !== undefined) {
        const sentence = await refusal(data);
        expect(sentence).toContain(want.refused);
        expect(sentence).toMatch(/^This is .*; .*\.$/);
      } else check(await open(data, name), want);
    }
  });
});
