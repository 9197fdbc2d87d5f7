// SPDX-License-Identifier: MIT
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { randomSession } from '../fixtures/profiles';
import { healthySession, SessionMaker, SHOP, SHOP_MODULES, WORKER } from '../fixtures/session';
import { funcNamed, lines, open, refusal, request, withDifferences } from '../testing';
import { InputError } from './input';
import { JsonReader } from './json';

const cpu = (over = {}): ReturnType<typeof request> => request({ metric: 'cpu', ...over });

describe('a session', () => {
  test('is read with its stacks, lanes, threads and processes', async () => {
    const engine = await open(healthySession().json());
    const info = engine.info();
    expect(info.format).toBe('rustscope');
    expect(info.metrics.map((m) => m.id)).toEqual(['cpu', 'alloc_bytes', 'net_bytes', 'alloc_count', 'peak_bytes', 'temporary']);
    expect([...info.side.timeline.lanes.keys()]).toEqual(['cpu_pct', 'heap_mb', 'anon_mb', 'rss_mb', 'threads', 'open_fds', 'alloc_bytes', 'read_bytes', 'write_bytes']);
    expect(info.side.threads.map((t) => t.name)).toEqual(['main', 'tokio-worker-0', 'tokio-worker-1']);
    expect(info.side.processes[0]).toMatchObject({ pid: 4242, startMs: 0, exit: '0' });
    expect(info.side.meta.durationMs).toBe(20_000);
    const view = engine.view(cpu());
    expect(view.value[0]).toBe(info.metrics[0].total);
  });
  test('gzip, even twice, changes nothing', async () => {
    const json = Buffer.from(JSON.stringify(healthySession(20).json()));
    const plain = await open(new Uint8Array(json));
    const packed = await open(new Uint8Array(gzipSync(gzipSync(json))));
    expect(lines(packed, packed.view(cpu()))).toEqual(lines(plain, plain.view(cpu())));
  });
  test('columns as differences, as a report carries them, read as the columns', async () => {
    const json = JSON.stringify(randomSession(11, 300).json());
    const packed = withDifferences(json);
    expect(packed).toMatch(/"start":\[\+0,/);
    expect(packed.length).toBeLessThan(json.length);
    expect(new JsonReader(new TextEncoder().encode(packed)).document()).toEqual(new JsonReader(new TextEncoder().encode(json)).document());
    const column = new JsonReader(new TextEncoder().encode('{"a":[+1000,1,-5],"b":[+999999999999999,-1999999999999998],"c":[ +7 ]}')).document();
    expect(column).toEqual(new Map([['a', [1000, 1001, 996]], ['b', [999999999999999, -999999999999999]], ['c', [7]]]));
  });
  test.each(['[+]', '[+,1]', '[+1,"a"]', '[+1,null]', '[++1]', '[+1', '[+1,2}'])('damaged differences are a sentence: %s', (column) => {
    expect(() => new JsonReader(new TextEncoder().encode(column)).document()).toThrow(InputError);
  });
  test('a window shows what ran inside it, rounded outward to buckets', async () => {
    const make = new SessionMaker(10, 100, SHOP, SHOP_MODULES);
    make.cpu({ bucket: 2, stack: ['shop::main', 'shop::cart::total'], us: 500 }, { bucket: 3, stack: ['shop::main', 'shop::db::query'], us: 700 }, { bucket: 9, stack: ['shop::main'], us: 1 });
    const engine = await open(make.json());
    const view = engine.view(cpu({ window: { fromMs: 310, toMs: 320 } }));
    expect(lines(engine, view)).toEqual(['shop::main;shop::db::query 700']);
    expect(view.status.window).toEqual({ fromMs: 300, toMs: 400 });
    expect(engine.view(cpu({ window: { fromMs: -50, toMs: 1e9 } })).value[0]).toBe(1201);
    expect(engine.view(cpu({ window: { fromMs: 5000, toMs: 6000 } })).value[0]).toBe(0);
  });
  test('threads and processes filter', async () => {
    const make = new SessionMaker(2, 100, SHOP, SHOP_MODULES);
    make.threads.push({ name: 'worker', process: 0 });
    make.cpu({ bucket: 0, stack: ['shop::main'], us: 1 }, { bucket: 1, stack: ['shop::main', 'shop::db::query'], us: 2, thread: 1 });
    const engine = await open(make.json());
    expect(engine.view(cpu({ threads: [1] })).value[0]).toBe(2);
    expect(engine.view(cpu({ processes: [7] })).value[0]).toBe(0);
    expect(engine.view(cpu({ tables: true })).tables!.threads).toMatchObject({ count: 2, key: Int32Array.of(1, 0), self: Float64Array.of(2, 1) });
  });
  test('a metric that has no rows says that it ignores the window', async () => {
    const make = healthySession(10);
    const engine = await open(make.json());
    expect(engine.view(request({ metric: 'peak_bytes', window: { fromMs: 0, toMs: 100 } })).status).toMatchObject({ ignoresWindow: true, window: null });
  });
  test('net bytes: what a window only freed is counted, not drawn', async () => {
    const make = new SessionMaker(2, 100, SHOP, SHOP_MODULES);
    make.alloc({ bucket: 0, stack: ['shop::main', 'malloc'], bytes: 100, count: 1, net: 100 }, { bucket: 1, stack: ['shop::main', 'malloc'], bytes: 10, count: 1, net: -90 }, { bucket: 1, stack: ['shop::main', 'shop::db::query', 'malloc'], bytes: 30, count: 1, net: 30 });
    const engine = await open(make.json());
    const net = (window: { fromMs: number; toMs: number } | null): ReturnType<typeof engine.view> => engine.view(request({ metric: 'net_bytes', window }));
    expect(lines(engine, net({ fromMs: 100, toMs: 200 }))).toEqual(['shop::main;shop::db::query;malloc 30']);
    expect(net({ fromMs: 100, toMs: 200 }).status.freed).toBe(90);
    expect(lines(engine, net(null))).toEqual(['shop::main;malloc 10', 'shop::main;shop::db::query;malloc 30']);
  });
  test('the work of the profiler itself is out of every share, the real malloc below it is not', async () => {
    const make = new SessionMaker(1, 100, SHOP, SHOP_MODULES);
    const ours = ['shop::main', 'rs_shim_record'];
    make.cpu({ bucket: 0, stack: ours, us: 5 }, { bucket: 0, stack: [...ours, 'sys_read'], us: 3 }, { bucket: 0, stack: [...ours, 'malloc', 'sys_read'], us: 20 }, { bucket: 0, stack: [...ours, 'sys_read', 'malloc'], us: 7 });
    const engine = await open(make.json());
    const view = engine.view(cpu());
    expect(view.status).toMatchObject({ shown: 27, inWindow: 27, profiler: 8 });
    expect(lines(engine, view)).toEqual(['shop::main;malloc 7', 'shop::main;malloc;sys_read 20']);
    expect(engine.view(cpu({ transforms: [{ kind: 'drop', func: funcNamed(engine, 'shop::main') }] })).status).toMatchObject({ shown: 0, dropped: 27, profiler: 8 });
  });
  test('frames without a name are named by module and address, stray bytes are shown', async () => {
    const make = new SessionMaker(1, 100, [{ name: '', crate: '', layer: 'unknown', object: 1 }, { name: 'x\u{10F8FF}y', crate: 'c\u{10F880}', layer: 'user' }], SHOP_MODULES);
    make.cpu({ bucket: 0, stack: ['x\u{10F8FF}y', ''], us: 5 });
    const engine = await open(make.json());
    expect(lines(engine, engine.view(cpu()))).toEqual(['x\\xFFy;libc.so.6+0x1000 5']);
    expect(engine.crates).toEqual(['c\\x80']);
  });
  test('scopes have a tree of their own', async () => {
    const make = healthySession(4);
    const made = make.json();
    const names = [...(made.strings as string[]), 'checkout', 'checkout/pay'];
    const json = { ...made, strings: names, scopes: { parent: [-1, 0], name: [names.length - 2, names.length - 1], calls: [1, 4], total_ns: [900, 400], self_ns: [500, 400], min_ns: [900, 50], max_ns: [900, 200], mean_ns: [900, 100], stddev_ns: [0, 5], p50_ns: [900, 99], p95_ns: [900, 150], p99_ns: [900, 190], max_depth: [1, 1], alloc_bytes: [0, 0], outlier_count: [0, 1], budget_violations: [0, 0], file: [0, 0], line: [3, 4] } };
    const engine = await open(json);
    expect(lines(engine, engine.view(request({ metric: 'scopes' })))).toEqual(['checkout 500', 'checkout;checkout/pay 400']);
    expect(engine.profile.side.scopeStats[1]).toMatchObject({ calls: 4, timing: { p99: 190 }, outlierCount: 1 });
  });
  test('what a spike gave back after its peak does not hide what it held', async () => {
    const make = healthySession(20);
    make.alloc({ bucket: 3, stack: [...WORKER, 'shop::db::query', 'malloc'], bytes: 9e6, count: 3, net: 8e6 });
    make.alloc({ bucket: 9, stack: [...WORKER, 'shop::db::query', 'malloc'], bytes: 0, count: 0, net: -8e6 });
    const engine = await open(make.json());
    const cause = engine.spikeCause({ fromMs: 300, toMs: 901 });
    expect(cause.allocations[0].path.map((f) => engine.funcs.names[f]).slice(-2)).toEqual(['shop::db::query', 'malloc']);
    expect(cause.allocations[0].value).toBeGreaterThan(7.9e6);
  });
  test('a spike names the functions that ran and the paths that allocated', async () => {
    const make = healthySession(20);
    make.cpu({ bucket: 7, stack: [...WORKER, 'shop::search::rank'], us: 90_000 });
    make.alloc({ bucket: 7, stack: [...WORKER, 'shop::db::query', 'malloc'], bytes: 9e6, count: 3, net: 8e6 });
    const engine = await open(make.json());
    const cause = engine.spikeCause({ fromMs: 700, toMs: 800 });
    expect(cause.functions[0]).toMatchObject({ name: 'shop::search::rank' });
    expect(cause.allocations[0]).toMatchObject({ value: 8e6 });
    expect(cause.allocations[0].path.map((f) => engine.funcs.names[f]).slice(-2)).toEqual(['shop::db::query', 'malloc']);
    const hot = engine.hotWindows('cpu', 'function', funcNamed(engine, 'shop::search::rank'));
    expect(hot.values.indexOf(Math.max(...hot.values))).toBe(7);
  });
});

describe('a session that is no session', () => {
  const whole = JSON.stringify(healthySession(5).json());
  test.each([
    ['cut off', whole.slice(0, whole.length * 0.7), /cut off|ends in the middle/],
    ['of a newer version', whole.replace('"schema_version":4', '"schema_version":9'), /schema_version 9/],
    ['of an older version', whole.replace('"schema_version":4', '"schema_version":3'), /record it again/],
    ['followed by text', `${whole} x`, /not valid JSON/],
    ['with NaN', whole.replace('"pid":4242', '"pid":NaN'), /not valid JSON/],
    ['nested a million deep', `{"schema_version":4,"meta":${'['.repeat(1e6)}`, /nested more than/],
    ['with a node outside', whole.replace('"node":[', '"node":[999999,'), /damaged/],
    ['with columns of unequal length', whole.replace('"weight_us":[', '"weight_us":[1,'), /damaged/],
    ['with a parent after its child', whole.replace('"parent":[-1,', '"parent":[3,'), /parents come before children/],
  ])('is refused with a sentence: %s', async (_, text, sentence) => {
    expect(await refusal(text)).toMatch(sentence);
  });
  test('odd numbers and doubled keys do no harm', async () => {
    const odd = whole.replace('"rate_hz":100', '"rate_hz":1e400').replace('"pid":4242', '"pid":-0,"pid":7').replace('"cpu_model":"Example CPU"', '"cpu_model":"\\ud800 lone"');
    const engine = await open(odd);
    expect(engine.profile.side.meta.pid).toBe(7);
    expect(engine.profile.side.meta.rateHz).toBe(0);
  });
  test('without anything measured it opens and is empty', async () => {
    const engine = await open(new SessionMaker(0, 100, []).json());
    expect(engine.info().metrics).toEqual([]);
  });
});
