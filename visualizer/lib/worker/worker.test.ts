// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { branchyFolded, randomSession } from '../fixtures/profiles';
import type { LoadProgress, View } from '../model/types';
import { request } from '../testing';
import { Analyst, Cancelled } from './client';
import { localEndpoint } from './host';

const file = (name: string, text: string): { name: string; data: Blob } => ({ name, data: new Blob([text]) });

describe('the worker', () => {
  test('several files: each becomes a profile or a sentence', async () => {
    const analyst = new Analyst(localEndpoint());
    const stages: LoadProgress[] = [];
    const { profiles, errors } = await analyst.load([file('a.txt', 'a;b 1\n'), file('bad', 'nothing here'), file('b.txt', 'a;c 2\n')], { onProgress: (p) => stages.push(p) });
    expect(profiles.map((p) => p.name)).toEqual(['a.txt', 'b.txt']);
    expect(errors).toEqual([{ file: 'bad', message: expect.stringMatching(/no profile that RustScope knows/) }]);
    expect(stages.some((s) => s.file === 'b.txt' && s.stage === 'parsing')).toBe(true);
    const view = await analyst.ask('view', request({ profile: profiles[1].id }));
    expect(view.value[0]).toBe(2);
    await analyst.ask('close', { profile: profiles[1].id });
    await expect(analyst.ask('view', request({ profile: profiles[1].id }))).rejects.toThrow(/closed/);
    expect((await analyst.ask('view', request({ profile: profiles[0].id }))).value[0]).toBe(1);
  });
  test('a load can be cancelled while it runs', async () => {
    const analyst = new Analyst(localEndpoint());
    const abort = new AbortController();
    const big = file('big.txt', branchyFolded(60_000, 60_000));
    const loading = analyst.load([big], { signal: abort.signal, onProgress: (p) => { if (p.stage === 'parsing' && p.done > 0) abort.abort(); } });
    await expect(loading).rejects.toBeInstanceOf(Cancelled);
    expect((await analyst.load([file('a', 'a 1\n')])).profiles).toHaveLength(1);
  });
  test('of many questions of a slot the last is answered, those overtaken are null', async () => {
    const analyst = new Analyst(localEndpoint());
    const { profiles } = await analyst.load([file('s.json', JSON.stringify(randomSession(1).json()))]);
    const ask = (to: number): Promise<View | null> => analyst.latest('main', 'view', request({ profile: profiles[0].id, metric: 'cpu', window: { fromMs: 0, toMs: to } }));
    const answers = await Promise.all([100, 200, 300, 400, 1600].map(ask));
    expect(answers.map((a) => a?.status.window?.toMs ?? null)).toEqual([100, null, null, null, 1600]);
    const other = await analyst.latest('other', 'spikeCause', { profile: profiles[0].id, window: { fromMs: 0, toMs: 500 } });
    expect(other!.functions.length).toBeGreaterThan(0);
  });
  test('answers do not share memory with what the worker keeps', async () => {
    const analyst = new Analyst(localEndpoint());
    const { profiles } = await analyst.load([file('a', 'a;b 1\n')]);
    const first = await analyst.ask('view', request({ profile: profiles[0].id }));
    first.value.fill(99);
    first.topology!.func.fill(-5);
    const second = await analyst.ask('view', request({ profile: profiles[0].id }));
    expect(Array.from(second.value)).toEqual([1, 1, 1]);
    expect(Array.from(second.topology!.func)).toEqual([-1, 0, 1]);
  });
});
