// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { branchyFolded, randomSession } from '../fixtures/profiles';
import { SessionMaker, SHOP, SHOP_MODULES, WORKER } from '../fixtures/session';
import { ALL_LAYERS, type Transform, type View, type ViewRequest } from '../model/types';
import { funcNamed, lines, open, request } from '../testing';
import { PLAIN, type Engine } from './engine';
import { depthOf, firstBeyond, nodeAt, nodeUnder, pathOf, selfValue } from './layout';
import { matchTotals, NameSearch, nextMatch } from './search';
import { buildBottomUp, REPEAT_FUNC, repeatsOf } from './topology';

async function show(text: string, over: Partial<ViewRequest> | ((engine: Engine) => Partial<ViewRequest>) = {}): Promise<string[]> {
  const engine = await open(text);
  return lines(engine, engine.view(request(typeof over === 'function' ? over(engine) : over)));
}
const by = (kind: 'merge' | 'drop' | 'focus' | 'collapse-function', name: string) => (engine: Engine): Partial<ViewRequest> => ({ transforms: [{ kind, func: funcNamed(engine, name) }] });

describe('directions', () => {
  const text = 'main;a;x 3\nmain;b;x 2\nmain;b 1\nmain;x;x 4\n';
  test('bottom-up merges from the leaves', async () => {
    expect(await show(text, { direction: 'bottom-up' })).toEqual(['b;main 1', 'x;a;main 3', 'x;b;main 2', 'x;x;main 4']);
  });
  test('callers and callees of a function count each stack once', async () => {
    expect(await show(text, (e) => ({ direction: 'callers', func: funcNamed(e, 'x') }))).toEqual(['x;a;main 3', 'x;b;main 2', 'x;main 4']);
    expect(await show(text, (e) => ({ direction: 'callees', func: funcNamed(e, 'x') }))).toEqual(['x 5', 'x;x 4']);
  });
  test('a bottom-up tree that would not fit is complete down to a depth', async () => {
    const engine = await open(branchyFolded(500, 300));
    const shape = { metric: 's0', transforms: [], layers: ALL_LAYERS, onlyMyCode: false, collapseRecursion: 'off' as const };
    const top = engine.tree(shape, 'top-down', null);
    const own = new Float64Array(top.topology.count).fill(1);
    const capped = buildBottomUp(top, own, 2000);
    expect(capped.topology.cappedAt).toBeGreaterThan(0);
    expect(capped.topology.rowStart.length - 2).toBe(capped.topology.cappedAt);
    expect(capped.topology.count).toBeLessThan(4000);
  });
  test('siblings are ordered by weight over the whole recording', async () => {
    const engine = await open('r;small 1\nr;big 9\nr;mid 5\n');
    const view = engine.view(request());
    expect(Array.from(view.topology!.func.subarray(2), (f) => engine.funcs.names[f])).toEqual(['big', 'mid', 'small']);
  });
});

describe('transforms', () => {
  const text = 'main;lib::f;g;lib::h 1\nmain;lib::f;lib::h 2\nmain;g 4\nmain;lib::f 8\n';
  test('merge charges the caller', async () => {
    expect(await show(text, by('merge', 'lib::f'))).toEqual(['main 8', 'main;g 4', 'main;g;lib::h 1', 'main;lib::h 2']);
  });
  test('drop leaves samples out and says how much', async () => {
    const engine = await open(text);
    const view = engine.view(request(by('drop', 'g')(engine)));
    expect(lines(engine, view)).toEqual(['main;lib::f 8', 'main;lib::f;lib::h 2']);
    expect(view.status).toMatchObject({ shown: 10, inWindow: 15, dropped: 5 });
  });
  test('focus makes a function the root, twice in a row too', async () => {
    expect(await show(text, by('focus', 'g'))).toEqual(['g 4', 'g;lib::h 1']);
    expect(await show(text, (e) => ({ transforms: [{ kind: 'focus', func: funcNamed(e, 'lib::f') }, { kind: 'focus', func: funcNamed(e, 'g') }] }))).toEqual(['g;lib::h 1']);
  });
  test('collapse-function swallows what is below', async () => {
    expect(await show(text, by('collapse-function', 'lib::f'))).toEqual(['main;g 4', 'main;lib::f 11']);
  });
  test('collapse-crate makes one frame of a library and of its calls to itself; merge-crate removes it', async () => {
    const make = new SessionMaker(1, 100, SHOP, SHOP_MODULES);
    make.cpu({ bucket: 0, stack: [...WORKER, 'shop::db::query'], us: 5 }, { bucket: 0, stack: WORKER, us: 2 });
    const engine = await open(make.json());
    const crate = engine.crates.indexOf('tokio');
    const cpu = (transforms: readonly Transform[]): string[] => lines(engine, engine.view(request({ metric: 'cpu', transforms })));
    expect(cpu([{ kind: 'collapse-crate', crate }])).toContain('_start;std::rt::lang_start::<()>;shop::main;[tokio];shop::serve::{{closure}};shop::db::query 5');
    expect(cpu([{ kind: 'merge-crate', crate }])).toContain('_start;std::rt::lang_start::<()>;shop::main;shop::serve::{{closure}} 2');
    expect(cpu([{ kind: 'collapse-module', module: 0 }])).toEqual(['_start;[shop] 7']);
    expect(cpu([{ kind: 'preset', preset: 'tokio' }])).toEqual(cpu([{ kind: 'merge-crate', crate }]));
  });
  test('recursion collapses direct or all of it, keeping the sum', async () => {
    const recursive = 'a;a;a;b;a 1\na;b;b;c 2\na;c;a;c 4\n';
    expect(await show(recursive, { collapseRecursion: 'direct' })).toEqual(['a;b;a 1', 'a;b;c 2', 'a;c;a;c 4']);
    expect(await show(recursive, { collapseRecursion: 'all' })).toEqual(['a 1', 'a;b;c 2', 'a;c 4']);
  });
  test('presets know the plumbing of their runtime and nothing else', async () => {
    const stack = ['main', 'tokio::runtime::task::raw::poll', '<tokio::io::Foo as std::io::Read>::read', 'core::future::poll_fn', 'rayon_core::registry::WorkerThread::wait_until', 'futures_util::stream::next', 'tokio_postgres::query', '<tokio_postgres::Row as core::fmt::Debug>::fmt', '<app::Codec as tokio_util::codec::Decoder>::decode', '<&L as rayon_core::latch::Latch>::set', 'app::tokio_helper'];
    const shown = async (preset: 'tokio' | 'rayon' | 'futures'): Promise<string> => (await show(`${stack.join(';')} 1`, { transforms: [{ kind: 'preset', preset }] }))[0];
    expect(await shown('tokio')).toBe('main;core::future::poll_fn;rayon_core::registry::WorkerThread::wait_until;futures_util::stream::next;tokio_postgres::query;<tokio_postgres::Row as core::fmt::Debug>::fmt;<app::Codec as tokio_util::codec::Decoder>::decode;<&L as rayon_core::latch::Latch>::set;app::tokio_helper 1');
    expect(await shown('rayon')).not.toContain('rayon_core');
    expect(await shown('futures')).toBe('main;tokio::runtime::task::raw::poll;<tokio::io::Foo as std::io::Read>::read;rayon_core::registry::WorkerThread::wait_until;tokio_postgres::query;<tokio_postgres::Row as core::fmt::Debug>::fmt;<app::Codec as tokio_util::codec::Decoder>::decode;<&L as rayon_core::latch::Latch>::set;app::tokio_helper 1');
  });
});

describe('only my code', () => {
  test('std, runtime, allocator and dependencies are charged to the frame of mine that called them', async () => {
    const make = new SessionMaker(1, 100, SHOP, SHOP_MODULES);
    make.cpu(
      { bucket: 0, stack: [...WORKER, 'shop::render::page', 'serde_json::ser::to_string', 'malloc'], us: 10 }, { bucket: 0, stack: [...WORKER, 'shop::db::query', 'sys_read'], us: 5 },
      { bucket: 0, stack: ['_start', 'std::rt::lang_start::<()>'], us: 3 }, { bucket: 0, stack: [...WORKER, 'shop::db::query'], us: 1 },
    );
    const engine = await open(make.json());
    const view = engine.view(request({ metric: 'cpu', onlyMyCode: true, tables: true }));
    expect(lines(engine, view)).toEqual(['[outside your code] 3', 'shop::main;shop::serve::{{closure}};shop::db::query 6', 'shop::main;shop::serve::{{closure}};shop::render::page 10']);
    expect(view.status).toMatchObject({ shown: 19, inWindow: 19, charged: 18 });
    const table = view.tables!.functions;
    expect(engine.funcs.names[table.key[0]]).toBe('shop::render::page');
    const hidden = engine.view(request({ metric: 'cpu', layers: ALL_LAYERS & ~(1 << 5) }));
    expect(lines(engine, hidden).join('\n')).not.toContain('sys_read');
    expect(hidden.value[0]).toBe(19);
  });
});

describe('the root', () => {
  const START = ['_start', '__libc_start_main', 'main', 'std::rt::lang_start_internal', 'std::panicking::catch_unwind', 'core::ops::function::FnOnce::call_once'];
  const functions = [
    ...SHOP, ...START.slice(1).map((name) => ({ name, crate: name === 'main' ? 'shop' : 'std', layer: name === 'main' ? 'user' as const : name.startsWith('core') ? 'std' as const : 'runtime' as const })),
    { name: 'clone3', crate: 'libc', layer: 'runtime' as const }, { name: 'start_thread', crate: 'libc', layer: 'runtime' as const }, { name: 'std::rt::cleanup', crate: 'std', layer: 'runtime' as const },
  ];
  async function started(): Promise<Engine> {
    const make = new SessionMaker(2, 100, functions, SHOP_MODULES);
    make.cpu(
      { bucket: 0, stack: [...START, 'shop::main', 'shop::db::query'], us: 600 }, { bucket: 1, stack: [...START, 'shop::main', 'shop::db::query', 'malloc'], us: 300 },
      { bucket: 0, stack: ['clone3', 'start_thread', 'shop::serve::{{closure}}'], us: 70 },
      { bucket: 1, stack: [...START.slice(0, 4), 'std::rt::cleanup', 'malloc'], us: 20 }, { bucket: 1, stack: START.slice(0, 2), us: 10 },
    );
    return open(make.json());
  }
  const names = (engine: Engine, funcs: readonly number[]): string[] => funcs.map((f) => engine.funcs.names[f]);

  test('the way to the reader’s code is one frame, a thread’s too; everything else keeps place and value', async () => {
    const engine = await started();
    for (const window of [null, { fromMs: 100, toMs: 200 }]) {
      const whole = engine.view(request({ metric: 'cpu', window }));
      const view = engine.view(request({ metric: 'cpu', window, foldRoot: true }));
      const t = view.topology!;
      const folds = [...t.folds];
      expect(folds.map(([, path]) => names(engine, path))).toEqual([START, ['clone3', 'start_thread']]);
      expect(t.count).toBe(whole.topology!.count - 6);
      const places = (v: View): string[] => Array.from({ length: v.topology!.count }, (_, n) => `${names(engine, pathOf(v.topology!, n)).join(';')} ${v.x0[n]} ${v.value[n]}`).sort();
      const all = new Set(places(whole));
      for (let n = 1; n < t.count; n++) if (!t.folds.has(n) && !names(engine, pathOf(t, n)).includes('std::rt::cleanup')) expect(all).toContain(`${names(engine, pathOf(t, n)).join(';')} ${view.x0[n]} ${view.value[n]}`);
      const cleanup = t.func.indexOf(funcNamed(engine, 'std::rt::cleanup'));
      expect(t.parent[cleanup]).toBe(folds[0][0]); // a side branch of the way is not lost
      for (let d = 0; d < t.rowStart.length - 1; d++) for (let n = t.rowStart[d] + 1; n < t.rowStart[d + 1]; n++) expect(view.x0[n]).toBeGreaterThanOrEqual(view.x0[n - 1] + view.value[n - 1]);
      for (let n = 1; n < t.count; n++) expect(depthOf(t, n)).toBe(depthOf(t, t.parent[n]) + 1);
      expect(view.status).toEqual(whole.status);
    }
  });
  test('the reader’s own frames, branches and leaves are never folded', async () => {
    const engine = await open('main;a;b 3\nmain;a;c 3\n');
    expect(engine.view(request({ foldRoot: true })).topology!.folds.size).toBe(0);
    const make = new SessionMaker(1, 100, functions, SHOP_MODULES);
    make.cpu({ bucket: 0, stack: ['_start', 'main', 'shop::main'], us: 5 }, { bucket: 0, stack: ['clone3', 'start_thread', 'malloc'], us: 3 }, { bucket: 0, stack: ['clone3', 'start_thread', 'sys_read'], us: 4 });
    const plain = await open(make.json());
    const { folds } = plain.view(request({ metric: 'cpu', foldRoot: true })).topology!;
    expect(folds.size).toBe(0); // _start alone is no gain before C's main; start_thread is where the thread branches
  });
  test('where threads part before the reader’s code, each way is folded by itself', async () => {
    const make = new SessionMaker(1, 100, functions, SHOP_MODULES);
    const tokio = ['tokio::runtime::scheduler::multi_thread::worker::Context::run', 'tokio::runtime::task::harness::Harness<T,S>::poll'];
    make.cpu({ bucket: 0, stack: ['clone3', 'start_thread', 'std::panicking::catch_unwind', ...tokio, 'shop::serve::{{closure}}'], us: 60 }, { bucket: 0, stack: ['clone3', 'start_thread', 'std::panicking::catch_unwind', 'shop::db::query', ...tokio, 'malloc'], us: 40 });
    const engine = await open(make.json());
    const view = engine.view(request({ metric: 'cpu', foldRoot: true }));
    expect([...view.topology!.folds.values()].map((path) => names(engine, path))).toEqual([['clone3', 'start_thread'], tokio]); // not what the reader's code calls
    expect(lines(engine, view)).toEqual(lines(engine, engine.view(request({ metric: 'cpu' }))));
  });
  test('a folded frame is found by any name behind it', async () => {
    const engine = await started();
    const view = engine.view(request({ metric: 'cpu', foldRoot: true }));
    const { mask } = new NameSearch(engine.funcs.names).find({ text: 'catch_unwind', regexp: false });
    expect(matchTotals(view.topology!, view.value, mask)).toEqual({ count: 1, covered: 930 });
    expect(nextMatch(view.topology!, view.value, mask, 0, 1)).toBe([...view.topology!.folds.keys()][0]);
  });
  test('hiding std hides its start-up code as well; hiding the runtime leaves std', async () => {
    const engine = await started();
    const shown = (hidden: number): string => lines(engine, engine.view(request({ metric: 'cpu', layers: ALL_LAYERS & ~(1 << hidden) }))).join('\n');
    expect(shown(2)).not.toMatch(/std::|core::/);
    expect(shown(2)).toMatch(/_start;__libc_start_main;main;shop::main/);
    expect(shown(3)).toMatch(/core::ops::function/);
  });
});

describe('tables', () => {
  test('a total counts a stack once, however often the function is on it', async () => {
    const engine = await open('a;b;a;b 3\na 1\n');
    const view = engine.view(request({ tables: true }));
    const row = (name: string): number[] => {
      const i = Array.from(view.tables!.functions.key).indexOf(funcNamed(engine, name));
      return [view.tables!.functions.self[i], view.tables!.functions.total[i]];
    };
    expect(row('a')).toEqual([1, 4]);
    expect(row('b')).toEqual([3, 3]);
    expect(repeatsOf(engine.tree({ ...PLAIN, metric: 's0' }, 'top-down', null), engine.groups).filter((f) => f & REPEAT_FUNC)).toHaveLength(2);
  });
  test('bytes below a function stand beside its CPU time, in the same window', async () => {
    const make = new SessionMaker(2, 100, SHOP, SHOP_MODULES);
    make.cpu({ bucket: 0, stack: ['shop::main', 'shop::db::query'], us: 5 }, { bucket: 1, stack: ['shop::main', 'shop::db::query'], us: 5 });
    make.alloc({ bucket: 0, stack: ['shop::main', 'shop::db::query', 'malloc'], bytes: 64, count: 1 }, { bucket: 1, stack: ['shop::main', 'malloc'], bytes: 1000, count: 1 });
    const engine = await open(make.json());
    const { functions } = engine.view(request({ metric: 'cpu', tables: true, window: { fromMs: 0, toMs: 100 } })).tables!;
    expect(functions.bytes[Array.from(functions.key).indexOf(funcNamed(engine, 'shop::db::query'))]).toBe(64);
  });
});

describe('properties', () => {
  const METRICS = ['cpu', 'offcpu', 'alloc_bytes', 'net_bytes', 'alloc_count', 'peak_bytes', 'leaked_bytes', 'leaked_count', 'temporary'];
  const WINDOWS = [null, { fromMs: 0, toMs: 800 }, { fromMs: 250, toMs: 340 }, { fromMs: 1500, toMs: 1600 }];
  const sound = (view: View): void => {
    const t = view.topology!;
    for (let d = 0; d < t.rowStart.length - 1; d++) {
      for (let n = t.rowStart[d]; n < t.rowStart[d + 1]; n++) {
        if (n > 0 && (t.parent[n] < (d > 0 ? t.rowStart[d - 1] : 0) || t.parent[n] >= t.rowStart[d])) throw new Error(`node ${n} hangs in the wrong row`);
        if (selfValue(t, view.value, n) < 0) throw new Error(`node ${n} is narrower than its children`);
        if (n > t.rowStart[d] && view.x0[n] < view.x0[n - 1] + view.value[n - 1]) throw new Error(`nodes ${n - 1} and ${n} overlap`);
      }
    }
  };

  test.each([1, 2, 3, 4, 5, 6])('totals are equal in every view and add up (seed %i)', async (seed) => {
    const engine = await open(randomSession(seed).json());
    for (const metric of METRICS) for (const window of WINDOWS) for (const threads of [null, [1]]) {
      const base = { metric, window, threads };
      const top = engine.view(request({ ...base, tables: true }));
      const wanted = top.value[0];
      sound(top);
      const shapes: Partial<ViewRequest>[] = [{ direction: 'bottom-up' }, { onlyMyCode: true }, { layers: 1 }, { layers: ALL_LAYERS & ~2 }, { collapseRecursion: 'direct' }, { collapseRecursion: 'all' }, { transforms: [{ kind: 'merge', func: 3 }, { kind: 'collapse-crate', crate: 1 }] },
        { direction: 'bottom-up', onlyMyCode: true, collapseRecursion: 'all' }, { transforms: [{ kind: 'collapse-function', func: 2 }, { kind: 'merge-crate', crate: 0 }] }];
      for (const shape of shapes) {
        const view = engine.view(request({ ...base, ...shape }));
        expect(view.value[0], JSON.stringify({ ...base, ...shape })).toBe(wanted);
        sound(view);
      }
      const { functions, crates, modules } = top.tables!;
      for (const table of [functions, crates, modules]) expect(table.self.reduce((a, b) => a + b, 0)).toBe(wanted);
      expect(top.status.shown).toBe(wanted);
      for (const func of [0, 4, 11]) {
        const callers = engine.view(request({ ...base, direction: 'callers', func })).value[0];
        const callees = engine.view(request({ ...base, direction: 'callees', func })).value[0];
        const i = Array.from(functions.key).indexOf(func);
        expect(callers).toBe(callees);
        expect(callers).toBe(i < 0 ? 0 : functions.total[i]);
      }
      const dropped = engine.view(request({ ...base, transforms: [{ kind: 'drop', func: 1 }] })).status;
      expect(dropped.shown + dropped.dropped).toBe(wanted);
    }
  });

  test('the parts of a session sum to the whole', async () => {
    const engine = await open(randomSession(9).json());
    for (const metric of ['cpu', 'offcpu']) {
      const parts = [0, 1, 2, 3].map((i) => engine.view(request({ metric, window: { fromMs: i * 400, toMs: (i + 1) * 400 } })).value[0]);
      expect(parts.reduce((a, b) => a + b)).toBe(engine.view(request({ metric })).value[0]);
    }
  });
  test('a brush sends values only', async () => {
    const engine = await open(randomSession(3).json());
    const first = engine.view(request({ metric: 'cpu' }));
    const second = engine.view(request({ metric: 'cpu', window: { fromMs: 0, toMs: 300 }, haveTopology: first.topologyId }));
    expect(second.topology).toBeNull();
    expect(second.topologyId).toBe(first.topologyId);
    expect(second.value).toHaveLength(first.topology!.count);
  });
});

describe('layout and search', () => {
  test('paths lead back to their nodes, points find theirs', async () => {
    const engine = await open(branchyFolded(800, 300));
    const view = engine.view(request());
    const t = view.topology!;
    const columns = { topology: t, value: view.value, x0: view.x0 };
    for (let n = 1; n < t.count; n += 7) {
      expect(nodeAt(t, pathOf(t, n))).toBe(n);
      const depth = depthOf(t, n);
      expect(pathOf(t, n)).toHaveLength(depth);
      expect(nodeUnder(columns, depth, view.x0[n] + view.value[n] / 2)).toBe(n);
      expect(firstBeyond(columns, depth, view.x0[n])).toBe(n);
    }
    expect(nodeUnder(columns, 1, view.value[0] + 1)).toBe(-1);
  });
  test('search counts matches and the share under the outermost ones', async () => {
    const engine = await open('main;Vec::push;Vec::grow 3\nmain;other 5\nmain;VEC 2\n');
    const view = engine.view(request());
    const search = new NameSearch(engine.funcs.names);
    const totals = (text: string, regexp = false, caseSensitive = false): number[] => {
      const { mask } = search.find({ text, regexp, caseSensitive });
      const { count, covered } = matchTotals(view.topology!, view.value, mask);
      return [count, covered];
    };
    expect(totals('v')).toEqual([3, 5]);
    expect(totals('ve')).toEqual([3, 5]);
    expect(totals('vec')).toEqual([3, 5]);
    expect(totals('o')).toEqual([2, 8]);
    expect(totals('^vec::g', true)).toEqual([1, 3]);
    expect(totals('VEC', false, true)).toEqual([1, 2]);
    expect(totals('')).toEqual([0, 0]);
    expect(search.find({ text: '(', regexp: true }).error).toMatch(/not a regular expression/);
    const { mask } = search.find({ text: 'vec', regexp: false });
    const t = view.topology!;
    const first = nextMatch(t, view.value, mask, 0, 1);
    const second = nextMatch(t, view.value, mask, first, 1);
    const third = nextMatch(t, view.value, mask, second, 1);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(nextMatch(t, view.value, mask, third, 1)).toBe(first);
    expect(nextMatch(t, view.value, mask, first, -1)).toBe(third);
  });
});
