// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { branchyFolded, randomSession } from '../fixtures/profiles';
import type { LoadProgress, View } from '../model/types';
import { Incoming, Work } from '../parse/input';
import { openProfile } from '../parse/open';
import { random } from '../fixtures/session';
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
    expect(errors).toEqual([{ file: 'bad', message: expect.stringMatching(/not a profile that RustScope reads/) }]);
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
  test('a file that is still arriving is read as the whole one would be, however it is cut', async () => {
    const stacks = branchyFolded(3000, 3000);
    const middle = stacks.indexOf('\n', 1 << 20) + 1;
    // A line longer than what is held at a time, and many that are no stacks.
    const text = `${stacks.slice(0, middle)}main;${'long'.repeat(600_000)};c 3\n${'# nothing\n'.repeat(20_000)}${stacks.slice(middle)}`;
    const bytes = new TextEncoder().encode(text.trimEnd());
    const whole = await openProfile({ name: 'a', data: bytes.slice().buffer }, new Work());
    const next = random(9);
    const stream = new ReadableStream<Uint8Array>({
      start: (control) => {
        for (let at = 0; at < bytes.length; ) {
          const to = Math.min(bytes.length, at + 1 + Math.floor(next() ** 4 * 40_000));
          control.enqueue(bytes.slice(at, to));
          at = to;
        }
        control.close();
      },
    });
    const arrived = await openProfile({ name: 'a', data: new Incoming(stream, bytes.length) }, new Work());
    expect(bytes.length).toBeGreaterThan(2 << 20);
    expect(arrived.profile.stacks).toEqual(whole.profile.stacks);
    expect(arrived.profile.metrics).toEqual(whole.profile.metrics);
    expect(arrived.profile.strings).toEqual(whole.profile.strings);
  });
  test('a download that ends early is a sentence, not half a profile', async () => {
    const incoming = new Incoming(new Blob(['a;b 1\n'.repeat(20)]).stream(), 1000);
    await expect(openProfile({ name: 'a', data: incoming }, new Work())).rejects.toThrow(/ended early/);
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
