// SPDX-License-Identifier: MIT
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { join, message, smallPprof } from '../fixtures/pprof';
import type { Engine } from '../view/engine';
import { Analyst } from '../worker/client';
import { localEndpoint } from '../worker/host';
import { lines, open, refusal, request } from '../testing';

function stacks(engine: Engine, metric: string): string[] {
  return lines(engine, engine.view(request({ metric })));
}

describe('pprof', () => {
  test('all sample types, inlined frames, addresses without functions, packed and unpacked', async () => {
    const engine = await open(smallPprof());
    expect(engine.profile.format).toBe('pprof');
    expect(engine.profile.metrics.map((m) => [m.info.id, m.info.label, m.info.unit, m.info.total])).toEqual([['s0', 'Samples', 'samples', 6], ['s1', 'CPU time', 'ns', 6000]]);
    expect(stacks(engine, 's1')).toEqual(['main;shop+0xabc 2000', 'main;sys 1000', 'main;work;helper 3000']);
    const view = engine.view(request({ metric: 's0' }));
    const helper = view.topology!.func.findIndex((f) => f >= 0 && engine.funcs.names[f] === 'helper');
    expect(view.topology!.flags[helper] & 1).toBe(1);
    expect(engine.profile.side.threads.map((t) => t.name)).toEqual(['worker-1']);
    expect(engine.funcs.line[engine.funcs.names.indexOf('helper')]).toBe(0); // was negative
  });
  test('gzip is the usual case', async () => {
    expect(stacks(await open(new Uint8Array(gzipSync(smallPprof()))), 's0')).toHaveLength(3);
  });
  test('values may be negative (a difference)', async () => {
    const engine = await open(smallPprof({ samples: [message([1, [2, 1]], [2, [5, 50]]), message([1, [3, 1]], [2, [-2, -20]])] }));
    expect(engine.profile.metrics[0].info).toMatchObject({ total: 3, signed: true });
  });
  test.each([
    ['a location that does not exist', smallPprof({ samples: [message([1, [99, 1]], [2, [1, 1]])] }), /location 99/],
    ['too few values', smallPprof({ samples: [message([1, [1]], [2, [1]])] }), /1 values for 2/],
    ['no sample types', smallPprof({ types: false }), /no sample types|no profile/],
    ['no samples', smallPprof({ samples: [] }), /no samples/],
    ['only zeros', smallPprof({ samples: [message([1, [1]], [2, [0, 0]])] }), /zero/],
    ['a text that does not exist', join(smallPprof(), message([1, message([1, 4000])])), /values for|text 4000/],
    ['cut off', smallPprof().subarray(0, 60), /cut off|ends inside|no samples|no profile|damaged/],
    ['a function that does not exist', join(smallPprof(), message([4, message([1, 2], [4, message([1, 77])])])), /function 77/],
  ])('is refused with a sentence: %s', async (_, bytes, sentence) => {
    expect(await refusal(bytes)).toMatch(sentence);
  });
  test('ids and addresses of 64 bits stay apart', async () => {
    const big = 0xffff_ffff_ffff_fff0n;
    const strings = ['', 'samples', 'count'];
    const bytes = join(message([1, message([1, 1], [2, 2])]), message([2, message([1, big], [2, 1])]), message([2, message([1, big + 1n], [2, 2])]),
      message([4, message([1, big], [3, big])]), message([4, message([1, big + 1n], [3, big + 1n])]), ...strings.map((s) => message([6, s])));
    expect(stacks(await open(bytes), 's0')).toEqual(['0xfffffffffffffff0 1', '0xfffffffffffffff1 2']);
  });
  test('a gzip bomb stops at the limit', async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(60e6)));
    expect(bomb.length).toBeLessThan(100e3);
    expect(await refusal(bomb, { maxBytes: 10e6, maxNodes: 1e6 })).toMatch(/more than 10 MB.*limit/);
  });
  test('damaged gzip says so', async () => {
    expect(await refusal(new Uint8Array(gzipSync(smallPprof())).subarray(0, 90))).toMatch(/gzip data is damaged or cut off/);
  });
  test('too many nodes stop at the limit', async () => {
    const text = Array.from({ length: 2000 }, (_, i) => `a;b${i};c${i} 1`).join('\n');
    expect(await refusal(text, { maxBytes: 1e9, maxNodes: 1000 })).toMatch(/call-tree nodes, which is the limit/);
  });
});

describe('speedscope', () => {
  const file = (profiles: unknown[], frames: unknown[] = [{ name: 'a' }, { name: 'b', file: 'b.rs', line: 3 }, { name: '__proto__' }]): object => ({ $schema: 'https://www.speedscope.app/file-format-schema.json', name: 'x', shared: { frames }, profiles });
  test('sampled profiles, several as threads', async () => {
    const engine = await open(file([
      { type: 'sampled', name: 't1', unit: 'milliseconds', startValue: 100, endValue: 106, samples: [[0, 1], [0], [0, 1, 2]], weights: [1, 2, 3] },
      { type: 'sampled', name: 't2', unit: 'milliseconds', startValue: 104, endValue: 105, samples: [[1]], weights: [1] },
    ]));
    expect(stacks(engine, 's0')).toEqual(['a 2000', 'a;b 1000', 'a;b;__proto__ 3000', 'b 1000']);
    expect(engine.profile.side.threads.map((t) => t.name)).toEqual(['t1', 't2']);
    expect(lines(engine, engine.view(request({ metric: 's0', threads: [1] })))).toEqual(['b 1000']);
    expect(engine.profile.side.timeline.lanes.has('cpu_pct')).toBe(true);
  });
  test('evented profiles: time belongs to what is on top; a close without an open is skipped and said', async () => {
    const engine = await open(file([{
      type: 'evented', name: 't', unit: 'nanoseconds', startValue: 0, endValue: 100,
      events: [{ type: 'O', frame: 0, at: 0 }, { type: 'O', frame: 1, at: 10 }, { type: 'C', frame: 2, at: 15 }, { type: 'C', frame: 1, at: 30 }, { type: 'C', frame: 0, at: 100 }],
    }]));
    expect(stacks(engine, 's0')).toEqual(['a 80', 'a;b 20']);
    expect(engine.profile.side.diagnostics.warnings[0]).toMatch(/1 events close/);
  });
  test('bytes have no clock', async () => {
    const engine = await open(file([{ type: 'sampled', name: 'heap', unit: 'bytes', startValue: 0, endValue: 5, samples: [[0]], weights: [5] }]));
    expect(engine.profile.metrics[0].info).toMatchObject({ unit: 'bytes', windowed: false, total: 5 });
  });
  test.each([
    ['a frame outside', file([{ type: 'sampled', unit: 'none', samples: [[9]], weights: [1] }]), /frame 9 of 3/],
    ['weights that do not match', file([{ type: 'sampled', unit: 'none', samples: [[0]], weights: [1, 2] }]), /1 samples and 2 weights/],
    ['an unknown type', file([{ type: 'spiral', unit: 'none' }]), /unknown type/],
    ['no profiles', file([]), /no profiles/],
    ['no samples', file([{ type: 'sampled', unit: 'none', samples: [], weights: [] }]), /no samples/],
  ])('is refused with a sentence: %s', async (_, json, sentence) => {
    expect(await refusal(json)).toMatch(sentence);
  });
});

/** main → work in libshop at 0x1234, samples at 1, 2, 3 ms. */
function firefox(names: readonly string[] = ['main', 'work']): { meta: object; libs: object[]; threads: object[] } {
  return {
    meta: { interval: 1, startTime: 1e12, product: 'shop', preprocessedProfileVersion: 49, sampleUnits: { time: 'ms', eventDelay: 'ms', threadCPUDelta: 'µs' } },
    libs: [{ name: 'libshop.so', debugName: 'libshop.so', path: '/srv/libshop.so', breakpadId: 'ABCDEF0123456789ABCDEF01234567890', arch: 'x86_64' }],
    threads: [{
      name: 'main', processName: 'shop', pid: '12', tid: 13,
      samples: { length: 4, stack: [0, 1, 1, null], time: [1, 2, 3, 4], weight: null, weightType: 'samples', threadCPUDelta: [100, 900, 1000, 0] },
      stackTable: { length: 2, prefix: [null, 0], frame: [0, 1] },
      frameTable: { length: 2, func: [0, 1], address: [16, 0x1234], inlineDepth: [0, 0], line: [null, null], nativeSymbol: [null, null] },
      funcTable: { length: 2, name: [0, 1], resource: [0, 0], fileName: [null, null], lineNumber: [null, null] },
      resourceTable: { length: 1, lib: [0], name: [0], type: [1] },
      stringArray: [...names],
    }],
  };
}

describe('Firefox Profiler and samply', () => {
  test('samples and CPU time, null stacks are idle', async () => {
    const engine = await open(firefox());
    expect(engine.profile.format).toBe('firefox');
    expect(stacks(engine, 'samples')).toEqual(['main 1', 'main;work 2']);
    expect(stacks(engine, 'cpu')).toEqual(['main 100', 'main;work 1900']);
    expect(engine.profile.side.processes[0].name).toBe('shop');
  });
  test('tables shared between threads (newer files)', async () => {
    const { meta, libs, threads } = firefox();
    const { samples, name, pid, tid, ...tables } = threads[0] as Record<string, unknown>;
    const engine = await open({ meta, libs, shared: tables, threads: [{ samples, name, pid, tid }, { samples, name: 'second', pid, tid: 14 }] });
    expect(stacks(engine, 'samples')).toEqual(['main 2', 'main;work 4']);
  });
  test('a symbol side-car names addresses, inlined calls included', async () => {
    const sidecar = { string_table: ['work_outer', 'inner', 'w.rs', 'entry'], data: [{ debug_name: 'libshop.so', debug_id: 'abcdef01-2345-6789-abcd-ef0123456789-0', code_id: null,
      symbol_table: [{ rva: 0, size: 64, symbol: 3 }, { rva: 0x1200, size: 256, symbol: 0, frames: [{ function: 1, file: 2, line: 4 }, { function: 0, file: 2, line: 9 }] }], known_addresses: [[0x1234, 1]] }] };
    const analyst = new Analyst(localEndpoint());
    const blob = (json: object): Blob => new Blob([JSON.stringify(json)]);
    const { profiles, errors } = await analyst.load([{ name: 'profile.json', data: blob(firefox(['0x10', '0x1234'])) }, { name: 'profile.syms.json', data: blob(sidecar) }]);
    expect(errors).toEqual([]);
    expect(profiles[0].funcs.names.slice(0, 3)).toEqual(['entry', 'work_outer', 'inner']);
    expect((await analyst.load([{ name: 'alone.syms.json', data: blob(sidecar) }])).errors[0].message).toMatch(/drop it together with its profile/);
  });
  test('without symbols it says what would help', async () => {
    const engine = await open(firefox(['0x10', '0x1234']));
    expect(stacks(engine, 'samples')).toEqual(['libshop.so+0x10 1', 'libshop.so+0x10;libshop.so+0x1234 2']);
    expect(engine.profile.side.diagnostics.warnings[0]).toMatch(/syms\.json/);
  });
  test('a raw Gecko profile and damage are refused with a sentence', async () => {
    expect(await refusal({ meta: {}, libs: [], threads: [{ samples: { schema: {}, data: [] } }] })).toMatch(/raw Gecko profile/);
    const broken = firefox();
    (broken.threads[0] as { stackTable: { prefix: unknown[] } }).stackTable.prefix = [1, 0];
    expect(await refusal(broken)).toMatch(/comes later/);
  });
});

describe('Chrome traces', () => {
  test('complete, begin and end events nest by time; an unclosed list is whole', async () => {
    const events = [
      { ph: 'M', name: 'thread_name', pid: 1, tid: 2, args: { name: 'Main' } },
      { ph: 'X', name: 'outer', ts: 1000, dur: 100, pid: 1, tid: 2 }, { ph: 'X', name: 'inner', ts: 1010, dur: 20, pid: 1, tid: 2 },
      { ph: 'B', name: 'begun', ts: 1200, pid: 1, tid: 2 }, { ph: 'X', name: 'leaf', ts: 1210, dur: 5, pid: 1, tid: 2 }, { ph: 'E', ts: 1250, pid: 1, tid: 2 }, { ph: 'E', ts: 1251, pid: 1, tid: 2 },
      { ph: 'i', name: 'instant', ts: 1, pid: 1, tid: 2 },
    ];
    const wanted = ['begun 45', 'begun;leaf 5', 'outer 80', 'outer;inner 20'];
    expect(stacks(await open(events), 'events')).toEqual(wanted);
    expect(stacks(await open({ traceEvents: events, displayTimeUnit: 'ms' }), 'events')).toEqual(wanted);
    const unclosed = await open(`${JSON.stringify(events).slice(0, -1)},\n`);
    expect(stacks(unclosed, 'events')).toEqual(wanted);
    expect(unclosed.profile.side.threads[0].name).toBe('Main');
  });
  test('CPU profiles in chunks and as a bare file', async () => {
    const nodes = [{ id: 1, callFrame: { functionName: '(root)' } }, { id: 2, callFrame: { functionName: 'f', url: 'a.js', lineNumber: 4 }, parent: 1 }, { id: 3, callFrame: { functionName: '(idle)' }, parent: 1 }];
    const trace = { traceEvents: [
      { ph: 'P', name: 'Profile', pid: 1, tid: 2, id: '0x1', ts: 5, args: { data: { startTime: 5 } } },
      { ph: 'P', name: 'ProfileChunk', pid: 1, tid: 2, id: '0x1', ts: 6, args: { data: { cpuProfile: { nodes, samples: [2, 2] }, timeDeltas: [10, 100] } } },
      { ph: 'P', name: 'ProfileChunk', pid: 1, tid: 2, id: '0x1', ts: 7, args: { data: { cpuProfile: { samples: [3, 2] }, timeDeltas: [100, 100] } } },
    ] };
    expect(stacks(await open(trace), 'cpu')).toEqual(['f 300']);
    const bare = { nodes: nodes.map((n) => ({ id: n.id, callFrame: n.callFrame, children: n.id === 1 ? [2, 3] : [] })), startTime: 0, endTime: 400, samples: [2, 2, 3, 2], timeDeltas: [10, 100, 100, 100] };
    expect(stacks(await open(bare), 'cpu')).toEqual(['f 290']); // until endTime
  });
  test('what tells the format may stand behind megabytes of something else', async () => {
    const events = JSON.stringify([{ ph: 'X', name: 'outer', ts: 1000, dur: 100, pid: 1, tid: 2 }]);
    const big = `"metadata":{"sources":["${'x"'.replace('"', '\\"').repeat(400_000)}"],"traceEvents":[{}]}`;
    expect(stacks(await open(`{${big},"traceEvents":${events}}`), 'events')).toEqual(['outer 100']);
    const nodes = Array.from({ length: 4000 }, (_, i) => ({ id: i + 1, callFrame: { functionName: i ? `f${i}` : '(root)', url: 'file:///srv/shop.js' }, children: i < 3999 && i % 100 !== 99 ? [i + 2] : [] }));
    const bare = JSON.stringify({ nodes, startTime: 0, endTime: 30, samples: [2, 3], timeDeltas: [10, 10] });
    expect(bare.length).toBeGreaterThan(1 << 18);
    expect(stacks(await open(bare), 'cpu')).toEqual(['f1 10', 'f1;f2 10']);
  });
  test('many spans that overlap without nesting are cut, and soon', async () => {
    const events = Array.from({ length: 20_000 }, (_, i) => ({ ph: 'X', name: `f${i % 7}`, ts: i * 10, dur: 100_000, pid: 1, tid: 2 }));
    const engine = await open(events);
    expect(engine.profile.metrics[0].info.total).toBeLessThanOrEqual(300_000);
    expect(engine.profile.side.diagnostics.warnings.join()).toMatch(/overlap without being nested/);
  });
  test('without anything that takes time it says so', async () => {
    expect(await refusal({ traceEvents: [{ ph: 'i', name: 'x', ts: 1, pid: 1, tid: 1 }] })).toMatch(/neither CPU samples nor/);
  });
});

describe('perf script', () => {
  const text = [
    '# captured on: today', 'redis-server 1234/1250 [003] 5123.000000:    1000000 cpu-clock:u: ', '\t    55d0c01b dictFind+0x1b (/usr/bin/redis-server)', '\t    55d0c2aa lookupKey (inlined)', '\t    55d0c2aa processCommand+0xaa (/usr/bin/redis-server)', '',
    'redis-server 1234/1251 [003] 5123.100000:    1000000 cpu-clock:u: ', '\tffffffff81 sys_read+0x1 ([kernel.kallsyms])', '\t    7f001 [unknown] (/lib/libc.so.6)', '\t    55d0c2aa processCommand+0xaa (/usr/bin/redis-server)', '',
    'my prog 99 5123.200000: cpu-clock:u: ', '', '',
  ].join('\n');
  test('samples with threads, inlined frames, unknown symbols and none at all', async () => {
    const engine = await open(text);
    expect(engine.profile.format).toBe('perf-script');
    expect(stacks(engine, 'samples')).toEqual(['[no stack] 1', 'processCommand;[libc.so.6];sys_read 1', 'processCommand;lookupKey;dictFind 1']);
    expect(engine.profile.side.threads.map((t) => [t.name, t.tid])).toEqual([['redis-server', 1250], ['redis-server', 1251], ['my prog', 99]]);
    expect(lines(engine, engine.view(request({ metric: 'samples', window: { fromMs: 95, toMs: 105 } })))).toEqual(['processCommand;[libc.so.6];sys_read 1']);
  });
  test('short addresses, names with parentheses, and nothing known', async () => {
    const engine = await open(':12  12 [001]   5.123456789:     250000 cycles:ukP: \n\t  a operator()(int)+0x1 (/x/a b (deleted))\n\t  b std::function<void (int)>::operator()(int) const (/usr/lib/l.so)\n\t  c foo(void (*)(int)) (inlined)\n\t  d bar (/m)\n\t  e [unknown] ([unknown])\n\n');
    expect(stacks(engine, 'samples')).toEqual(['[unknown];bar;foo(void (*)(int));std::function<void (int)>::operator()(int) const;operator()(int) 1']);
    expect(engine.info().modules.map((module) => module.path)).toEqual(['/x/a b', '/usr/lib/l.so', '/m']);
    expect(engine.profile.side.threads.map((thread) => [thread.name, thread.tid])).toEqual([[':12', 12]]);
  });
  test('periods of clock events are CPU time', async () => {
    const engine = await open(text.split('\n').slice(0, 10).join('\n'));
    expect(engine.profile.metrics.map((m) => [m.info.label, m.info.unit, m.info.total])).toEqual([['CPU time', 'ns', 2e6], ['Samples', 'samples', 2]]);
  });
});

describe('what is none of these', () => {
  test.each([[new Uint8Array(5000).fill(7)], [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0)], ['{"a": 1}'], ['[1,2,3]'], ['"text"'], ['   \n ']])('%# is refused with a sentence', async (data) => {
    expect(await refusal(data)).toMatch(/not a profile that RustScope reads|empty|neither/);
  });
});
