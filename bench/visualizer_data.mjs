#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/*
 * The visualizer's data layer without a browser: parse, first view, inversion, brush, search, on branchy folded
 * stacks (100k and 1M samples) and on a 10-minute session of 600k samples. Medians of REPEAT runs, wall and CPU time
 * (on a shared machine the CPU column is the one to read).
 *
 * speedscope ships one minified browser bundle that exports nothing: it cannot be run here. The comparison with it
 * is made in one browser by visualizer/e2e (see bench/visualizer_browser.mjs); this one tells where our time goes.
 *
 *     node --expose-gc bench/visualizer_data.mjs [REPEAT]
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { performance } from 'node:perf_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const visualizer = fileURLToPath(new URL('../visualizer/', import.meta.url));
const { buildSync } = createRequire(join(visualizer, 'package.json'))('esbuild');
const repeat = Number(process.argv[2] ?? 5);

const dir = mkdtempSync(join(tmpdir(), 'rustscope-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

/** The library as one module, from its TypeScript sources. */
async function library() {
  const outfile = join(dir, 'lib.mjs');
  const entry = `
    export { openProfile } from './lib/parse/open';
    export { Work } from './lib/parse/input';
    export { Engine } from './lib/view/engine';
    export { NameSearch, matchTotals } from './lib/view/search';
    export { gatherFacts } from './lib/insights/facts';
    export { runRules } from './lib/insights/rules';
    export { branchyFolded } from './lib/fixtures/profiles';
    export { random } from './lib/fixtures/session';`;
  buildSync({ stdin: { contents: entry, resolveDir: visualizer, loader: 'ts' }, bundle: true, format: 'esm', platform: 'node', outfile });
  return import(outfile);
}

const lib = await library();

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

async function timed(run) {
  const took = [];
  const busy = [];
  let result;
  for (let i = 0; i < repeat; i++) {
    const start = performance.now();
    const cpu = process.cpuUsage();
    result = await run(i);
    took.push(performance.now() - start);
    const { user, system } = process.cpuUsage(cpu);
    busy.push((user + system) / 1000);
  }
  return { ms: median(took), cpu: median(busy), worst: Math.max(...took), result };
}

function row(what, measured, must = '') {
  console.log(`${what.padEnd(52)} ${measured.ms.toFixed(1).padStart(9)} ms   CPU ${measured.cpu.toFixed(1).padStart(8)} ms   worst ${measured.worst.toFixed(1).padStart(8)} ms   ${must}`);
}

function ask(over) {
  return {
    profile: 1, metric: 's0', window: null, threads: null, processes: null, transforms: [], direction: 'top-down', func: null, onlyMyCode: false, layers: 255, collapseRecursion: 'off',
    haveTopology: 0, tables: false, ...over,
  };
}

async function open(bytes) {
  const { profile, sizeBytes } = await lib.openProfile({ name: 'bench', data: bytes.slice().buffer }, new lib.Work());
  return new lib.Engine(1, profile, sizeBytes);
}

async function folded(label, samples, stacks) {
  const bytes = new TextEncoder().encode(lib.branchyFolded(samples, stacks));
  const parsed = await timed(() => open(bytes));
  console.log(`\n${label}: ${(bytes.length / 1e6).toFixed(1)} MB, ${parsed.result.profile.stacks.count.toLocaleString('en')} nodes`);
  row('parse and merge', parsed);
  row('first view (order, layout)', await timed(async () => parsed.result.constructor && new lib.Engine(1, parsed.result.profile, 0).view(ask({}))));
  const engine = parsed.result;
  const view = engine.view(ask({}));
  const inverted = await timed(() => new lib.Engine(1, engine.profile, 0).view(ask({ direction: 'bottom-up' })));
  row(`bottom-up (${inverted.result.topology.count.toLocaleString('en')} nodes, with the top-down it needs)`, inverted);
  row('collapse recursion, all', await timed(() => new lib.Engine(1, engine.profile, 0).view(ask({ collapseRecursion: 'all' }))));
  row('tables', await timed(() => engine.view(ask({ tables: true, haveTopology: view.topologyId }))));
  const scratch = new Uint8Array(view.topology.count);
  const typed = ['m', 'me', 'met', 'meth', 'metho', 'method_1', 'method_12'];
  const search = new lib.NameSearch(engine.funcs.names);
  row('search, a key', await timed((i) => {
    const { mask } = search.find({ text: typed[i % typed.length], regexp: false });
    return lib.matchTotals(view.topology, view.value, mask, scratch);
  }), 'must ≤ 60 with its repaint');
}

/** 10 minutes at 997 Hz on one core: 600k samples in 100 ms buckets, a tree of some 60k nodes, allocations beside. */
function longSession() {
  const next = lib.random(5);
  const buckets = 6000;
  const strings = [''];
  const frames = { func: [], object: [], addr: [], crate: [], file: [], line: [], inlined: [], layer: [] };
  for (let f = 0; f < 3000; f++) {
    strings.push(`shop::module_${f % 40}::function_${f}`);
    frames.func.push(strings.length - 1);
    frames.object.push(0);
    frames.addr.push(4096 + f * 16);
    frames.crate.push(0);
    frames.file.push(0);
    frames.line.push(f);
    frames.inlined.push(0);
    frames.layer.push(['user', 'dep', 'std', 'alloc'][f % 4]);
  }
  const nodes = { parent: [-1], frame: [0] };
  const depth = [0];
  while (nodes.parent.length < 60000) {
    const parent = Math.floor(next() * nodes.parent.length);
    if (depth[parent] > 60) continue;
    nodes.parent.push(parent);
    nodes.frame.push(Math.floor(next() ** 2 * 3000));
    depth.push(depth[parent] + 1);
  }
  const rows = (count, values) => {
    const out = { interval_ms: 100, start: Array.from({ length: buckets + 1 }, (_, b) => Math.floor((b * count) / buckets)), node: [], thread: [] };
    for (const v of values) out[v] = [];
    for (let r = 0; r < count; r++) {
      out.node.push(Math.floor(next() ** 2 * 60000));
      out.thread.push(Math.floor(next() * 8));
      for (const v of values) out[v].push(1 + Math.floor(next() * 2000));
    }
    return out;
  };
  const lane = () => Array.from({ length: buckets }, () => Math.round(next() * 1000) / 10);
  return {
    schema_version: 4, generator: { name: 'bench', version: '0' }, meta: { start_ts: 0, duration_sec: 600, stack_rate_hz: 997, cpu_cores: 8 }, summary: {},
    timeline: { interval_ms: 100, cpu_pct: lane(), heap_mb: lane(), rss_mb: lane(), threads: lane(), counters: {} }, strings, modules: { path: [0], name: [0], build_id: [0], arch: [0], symbols: ['dwarf'] }, frames, nodes,
    cpu: rows(600000, ['weight_us']), alloc_buckets: rows(200000, ['bytes', 'count', 'net_bytes']), allocations: { measured: true, by_size: {}, peak: { ts: 0, bytes: 0 }, lifetimes: [], node: [], count: [], bytes: [] },
    threads: Array.from({ length: 8 }, (_, t) => ({ process: 0, tid: t, name: `t${t}` })), processes: [{ pid: 1, name: 'shop', argv: [] }], diagnostics: {},
  };
}

async function brush() {
  const bytes = new TextEncoder().encode(JSON.stringify(longSession()));
  const parsed = await timed(() => open(bytes));
  const engine = parsed.result;
  console.log(`\nsession of 600k samples, 10 min: ${(bytes.length / 1e6).toFixed(1)} MB, ${engine.profile.stacks.count.toLocaleString('en')} nodes`);
  row('parse', parsed);
  const first = engine.view(ask({ metric: 'cpu', tables: true }));
  const window = (i, ms) => ({ fromMs: (i * 37000) % 500000, toMs: (i * 37000) % 500000 + ms });
  const held = { metric: 'cpu', haveTopology: first.topologyId };
  for (const [label, ms] of [['1 s', 1000], ['1 min', 60000], ['10 min', 600000]]) {
    row(`brush ${label}: flame graph`, await timed((i) => engine.view(ask({ ...held, window: window(i, ms) }))), 'must ≤ 50 with its repaint');
    row(`brush ${label}: flame graph and tables`, await timed((i) => engine.view(ask({ ...held, window: window(i, ms), tables: true }))), 'must ≤ 50 with its repaint');
  }
  row('insights of a window', await timed((i) => lib.runRules(lib.gatherFacts(engine, window(i, 10000)))), 'must ≤ 50');
  row('only my code, built anew', await timed((i) => new lib.Engine(1, engine.profile, 0).view(ask({ metric: 'cpu', onlyMyCode: true }))));
}

await folded('100k samples', 100000, 20000);
await folded('1M samples', 1000000, 50000);
await brush();
globalThis.gc?.();
const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
console.log(`\nmemory at the end: heap ${(heapUsed / 1e6).toFixed(0)} MB, columns ${(arrayBuffers / 1e6).toFixed(0)} MB, rss ${(rss / 1e6).toFixed(0)} MB`);
