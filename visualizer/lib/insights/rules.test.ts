// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { healthySession, SessionMaker, SHOP, SHOP_MODULES, WORKER, type FakeFunction } from '../fixtures/session';
import type { Insight } from '../model/types';
import { open } from '../testing';
import { gatherFacts } from './facts';
import { runRules } from './rules';

const TS = 1_700_000_000_000;

async function insightsOf(session: SessionMaker, window: { fromMs: number; toMs: number } | null = null): Promise<Insight[]> {
  return runRules(gatherFacts(await open(session.json()), window));
}

/** A healthy session with CPU time planted below the worker: SHARE of the final total. */
function planted(share: number, functions: readonly FakeFunction[], stacks: readonly (readonly string[])[]): SessionMaker {
  const make = healthySession();
  for (const f of functions) make.declare(f);
  const healthy = 12 * 200 * 2000;
  const us = (healthy * share) / (1 - share) / 200 / stacks.length;
  for (let b = 0; b < 200; b++) for (const stack of stacks) make.cpu({ bucket: b, stack: [...WORKER, ...stack], us, thread: 1 });
  return make;
}
const fn = (name: string, layer: FakeFunction['layer'] = 'std', crate = 'core'): FakeFunction => ({ name, crate, layer });
const stacksOf = (functions: readonly FakeFunction[]): string[][] => functions.map((f) => [f.name]);

const FORMAT = [fn('core::fmt::write'), fn('<f64 as core::fmt::Display>::fmt')];
const CLONE = [fn('<alloc::string::String as core::clone::Clone>::clone')];
const HASH = [fn('<core::hash::sip::Hasher<S> as core::hash::Hasher>::write')];
const DEBUG = [fn('core::ptr::mut_ptr::<impl *mut T>::add'), fn('<T as core::convert::Into<U>>::into'), fn('core::ub_checks::check_language_ub'), fn('<core::ops::range::Range<usize> as core::iter::range::RangeIteratorImpl>::spec_next')];
const LOCK = [fn('std::sys::sync::mutex::futex::Mutex::lock_contended', 'std', 'std')];
const NAMELESS: FakeFunction[] = [{ name: '', crate: '', layer: 'unknown', object: 1 }];

function spiked(): SessionMaker {
  const make = healthySession();
  make.cpu({ bucket: 50, stack: [...WORKER, 'shop::search::rank'], us: 95_000, thread: 1 });
  make.alloc({ bucket: 50, stack: [...WORKER, 'shop::db::query', 'malloc'], bytes: 12e6, count: 4, net: 12e6 });
  make.events.push({ ts: TS + 5000, end_ts: TS + 5100, type: 'spike', process: 0, size_bytes: 12e6, peak: 24, location: 'Memory spike: +12.0 MB', top_functions: [], top_allocations: [] });
  make.events.push({ ts: TS + 5000, end_ts: TS + 5100, type: 'cpu_spike', process: 0, size_bytes: 0, peak: 98, location: '', top_functions: [], top_allocations: [] });
  return make;
}

function leaking(): SessionMaker {
  const make = healthySession();
  for (let b = 0; b < 200; b++) make.alloc({ bucket: b, stack: [...WORKER, 'shop::cart::total', 'malloc'], bytes: 20_000, count: 2, net: 20_000, leaked: 20_000, leakedCount: 2 });
  make.alloc({ bucket: 0, stack: [...WORKER, 'shop::search::rank', 'malloc'], bytes: 9e6, count: 1, net: 9e6, leaked: 9e6, leakedCount: 1 });
  return make;
}

function churning(): SessionMaker {
  const make = healthySession();
  for (let b = 0; b < 200; b++) make.alloc({ bucket: b, stack: [...WORKER, 'shop::search::rank', 'malloc'], bytes: 64_000, count: 1000, net: 0, temporary: 950 });
  return make;
}

function recursive(depth: number): SessionMaker {
  return planted(0.05, [], [Array.from({ length: depth }, () => 'shop::search::rank')]);
}

const PLANTED: readonly (readonly [string, () => SessionMaker])[] = [
  ['dominant-function', () => planted(0.5, [], [['shop::search::rank']])],
  ['recursion', () => recursive(120)],
  ['allocation-heavy-path', () => planted(0.13, [fn('shop::cart::fill', 'user', 'shop')], [['shop::cart::fill', 'malloc'], ['shop::cart::fill']])],
  ['allocator-share', () => planted(0.2, [], [['malloc'], ['free']])],
  ['temporary-churn', churning],
  ['leak-suspicion', leaking],
  ['memory-growth', () => healthySession().lane('heap_mb', (b) => 12 + b * 0.2)],
  ['memory-spike', spiked],
  ['cpu-spike', spiked],
  ['lock-share', () => planted(0.15, LOCK, stacksOf(LOCK))],
  ['lock-wait', () => {
    const make = healthySession();
    for (const f of LOCK) make.declare(f);
    for (let b = 0; b < 200; b++) make.wait({ bucket: b, stack: [...WORKER, ...stacksOf(LOCK)[0]], us: 30_000, thread: 1 }, { bucket: b, stack: [...WORKER, 'shop::db::query', 'sys_read'], us: 50_000, thread: 2 });
    return make;
  }],
  ['idle', () => {
    const make = healthySession();
    make.summary.set('cpu_avg_pct', 0.5);
    return make;
  }],
  ['thread-explosion', () => healthySession().lane('threads', (b) => (b === 80 ? 400 : 12))],
  ['descriptor-growth', () => healthySession().lane('open_fds', (b) => 14 + b)],
  ['rust-formatting', () => planted(0.15, FORMAT, stacksOf(FORMAT))],
  ['rust-cloning', () => planted(0.15, CLONE, stacksOf(CLONE))],
  ['rust-hashing', () => planted(0.15, HASH, stacksOf(HASH))],
  ['debug-build', () => planted(0.12, DEBUG, stacksOf(DEBUG))],
  ['missing-symbols', () => planted(0.2, NAMELESS, [['']])],
  ['lost-samples', () => {
    const make = healthySession();
    make.diagnostics.set('stack_samples', 900).set('stack_lost', 100);
    return make;
  }],
];

describe('insights', () => {
  test('nothing fires on a program that is well, in any window', async () => {
    for (const window of [null, { fromMs: 0, toMs: 1000 }, { fromMs: 8000, toMs: 12_000 }]) expect((await insightsOf(healthySession(), window)).map((i) => i.rule)).toEqual([]);
  });
  test.each(PLANTED)('%s fires on its planted session, with words and numbers', async (rule, make) => {
    const found = await insightsOf(make());
    const mine = found.find((i) => i.rule === rule);
    expect(found.map((i) => i.rule)).toContain(rule);
    for (const part of [mine!.title, mine!.why, mine!.advice, mine!.threshold]) expect(part.length).toBeGreaterThan(10);
    expect(mine!.threshold + mine!.title).toMatch(/\d|--spike/);
    expect(mine!.evidence.length).toBeGreaterThan(0);
  });
  test.each(PLANTED)('%s brings at most what follows from it', async (rule, make) => {
    const follows: Record<string, readonly string[]> = {
      'allocator-share': ['allocation-heavy-path'], 'leak-suspicion': [], 'memory-spike': ['cpu-spike'], 'cpu-spike': ['memory-spike'], 'dominant-function': [], 'allocation-heavy-path': ['allocator-share'],
    };
    const found = new Set((await insightsOf(make())).map((i) => i.rule));
    found.delete(rule);
    for (const other of follows[rule] ?? []) found.delete(other);
    expect([...found]).toEqual([]);
  });
  test('a leak is told from what was allocated once', async () => {
    const [leak] = (await insightsOf(leaking())).filter((i) => i.rule === 'leak-suspicion');
    expect(leak.title).toContain('4 MB');
    expect(leak.evidence.map((e) => e.text).join('\n')).toMatch(/shop::cart::total.*\n.*9 MB more.*once/);
    const once = healthySession();
    once.alloc({ bucket: 0, stack: [...WORKER, 'shop::search::rank', 'malloc'], bytes: 9e6, count: 1, net: 9e6, leaked: 9e6, leakedCount: 1 });
    expect((await insightsOf(once)).map((i) => i.rule)).toEqual([]);
  });
  test('a spike names what allocated and what ran in its window', async () => {
    const found = await insightsOf(spiked());
    const memory = found.find((i) => i.rule === 'memory-spike')!;
    expect(memory.window).toEqual({ fromMs: 5000, toMs: 5100 });
    expect(memory.evidence[0].text).toBe('shop::db::query: +12 MB');
    expect(found.find((i) => i.rule === 'cpu-spike')!.evidence[0].text).toMatch(/^shop::search::rank: 10\d ms of CPU/);
  });
  test('repeated spikes are one finding with their times and causes', async () => {
    const make = spiked();
    for (const bucket of [80, 120]) {
      make.alloc({ bucket, stack: [...WORKER, 'shop::render::page', 'malloc'], bytes: 6e6, count: 4, net: 6e6 });
      make.events.push({ ts: TS + bucket * 100, end_ts: TS + bucket * 100 + 100, type: 'spike', process: 0, size_bytes: 6e6, peak: 24, location: 'Memory spike: +6.0 MB', top_functions: [], top_allocations: [] });
    }
    const found = (await insightsOf(make)).filter((i) => i.rule === 'memory-spike');
    expect(found.map((i) => i.title)).toEqual(['3 memory spikes, the largest +12.0 MB']);
    expect(found[0].evidence.map((e) => e.text)).toEqual(['at 5 s: +12.0 MB, shop::db::query: +12 MB', 'at 8 s: +6.0 MB, shop::render::page: +6 MB', 'at 12 s: +6.0 MB, shop::render::page: +6 MB']);
    expect(found[0].evidence.map((e) => e.window?.fromMs)).toEqual([5000, 8000, 12000]);
    const late = (await insightsOf(make, { fromMs: 11_000, toMs: 13_000 })).filter((i) => i.rule === 'memory-spike');
    expect(late.map((i) => i.title)).toEqual(['Memory spike: +6.0 MB']);
  });
  test('what a library does is charged to the function of the reader’s that called it', async () => {
    const make = spiked();
    make.cpu({ bucket: 50, stack: [...WORKER, 'shop::db::query', 'hashbrown::map::HashMap<K,V,S,A>::get'], us: 300_000, thread: 1 });
    const engine = await open(make.json());
    const [first] = engine.spikeCause({ fromMs: 5000, toMs: 5100 }).functions;
    expect([first.name, engine.funcs.names[first.via]]).toEqual(['shop::db::query', 'hashbrown::map::HashMap<K,V,S,A>::get']);
  });
  test('recursion beyond a thousand is critical', async () => {
    expect((await insightsOf(recursive(1500))).find((i) => i.rule === 'recursion')!.severity).toBe('critical');
  });
  test('too few samples prove nothing', async () => {
    const make = new SessionMaker(1, 100, SHOP, SHOP_MODULES);
    make.cpu({ bucket: 0, stack: ['shop::main'], us: 50_000 });
    expect(await insightsOf(make)).toEqual([]);
  });
});
