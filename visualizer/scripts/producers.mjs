// SPDX-License-Identifier: MIT
// Real producers against the readers: runs those that are installed, opens what they wrote, and compares with the
// producer's own totals. What is missing is said. Ends with 1 when a value is wrong or a file is refused that should not be.
//
//   node scripts/producers.mjs
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'producers-'));
const file = (name) => join(folder, name);

/** The readers as the page's worker has them. */
async function readers() {
  const { outputFiles } = await build({
    stdin: { contents: "export { openProfile } from './parse/open'; export { Work } from './parse/input'; export { Engine } from './view/engine';", resolveDir: `${root}lib`, loader: 'ts' },
    bundle: true, write: false, format: 'esm', platform: 'node', target: 'es2022',
  });
  writeFileSync(file('readers.mjs'), outputFiles[0].text);
  return import(file('readers.mjs'));
}
const { openProfile, Work, Engine } = await readers();

async function read(path) {
  const bytes = readFileSync(path);
  const { profile, sizeBytes } = await openProfile({ name: path, data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) }, new Work());
  const info = new Engine(1, profile, sizeBytes).info();
  return { info, profile, total: (label) => info.metrics.find((metric) => metric.label === label)?.total, has: (name) => info.funcs.names.includes(name) };
}

class Missing extends Error {}

/** Runs a command; its output. */
function run(command, args, options = {}) {
  const { status, stdout, stderr, error, signal } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 120_000, maxBuffer: 1 << 30, ...options });
  if (error?.code === 'ENOENT') throw new Missing(`${command} is not installed`);
  if (error || status !== 0) throw new Error(`${command} ended with ${signal ?? status}: ${(error?.message ?? stderr).slice(-300)}`);
  return { stdout, stderr };
}

const near = (a, b, share) => Math.abs(a - b) <= share * Math.max(Math.abs(a), Math.abs(b));
function check(what, got, wanted, share = 1e-9) {
  if (!near(got, wanted, share)) throw new Error(`${what} is ${got}, the producer says ${wanted}`);
  return `${what} ${got}`;
}
async function refused(path, what) {
  try {
    await read(path);
  } catch (error) {
    if (error.name === 'InputError' && error.message.includes(what)) return `refused by name: ${error.message.slice(0, 60)}…`;
    throw error;
  }
  throw new Error(`is read, and should be refused as ${what}`);
}

const SPIN_JS = `function tax(n) { let sum = 0; for (let i = 0; i < n; i++) sum += Math.sqrt(i) % 7; return sum; }
const kept = []; const end = Date.now() + 700; let all = 0;
while (Date.now() < end) { all += tax(20000); kept.push(new Array(200).fill(all)); if (kept.length > 2000) kept.length = 0; } console.log(all);`;
const SPIN_CC = `#include <math.h>
#include <stdlib.h>
#include <pthread.h>
namespace till { volatile double sink; __attribute__((noinline)) double tax(int n) { double s = 0; for (int i = 0; i < n; i++) s += sqrt((double)i); sink = s; return s; }
__attribute__((noinline)) void *keep(int n) { char *p = (char *)malloc(n); p[0] = 1; return p; } }
static void *serve(void *) { for (int i = 0; i < 2000; i++) till::tax(20000); return nullptr; }
int main() { pthread_t t; pthread_create(&t, nullptr, serve, nullptr); pthread_setname_np(t, "Poll Timer 7"); for (int i = 0; i < 500; i++) { till::tax(20000); if (i % 2) free(till::keep(100)); else till::keep(64); } pthread_join(t, nullptr); return 0; }`;

function program(...flags) {
  if (!existsSync(file('till'))) {
    writeFileSync(file('till.cc'), SPIN_CC);
    run('g++', ['-g', '-O1', '-fno-omit-frame-pointer', 'till.cc', '-o', 'till', '-lm', '-lpthread', ...flags]);
  }
  return file('till');
}

/** Self times of a .cpuprofile as its own fields give them: a sample lasts to the next, the last to the end. */
function ownTime(profile) {
  let now = profile.startTime;
  const at = profile.timeDeltas.map((delta) => (now += delta));
  const order = [...at.keys()].sort((a, b) => at[a] - at[b]);
  const idle = new Set(profile.nodes.filter((node) => node.callFrame.functionName === '(idle)' || node.callFrame.functionName === '(root)').map((node) => node.id));
  return order.reduce((sum, i, k) => sum + (idle.has(profile.samples[i]) ? 0 : (k + 1 < order.length ? at[order[k + 1]] : Math.max(profile.endTime, at[i])) - at[i]), 0);
}

function perfRecord(...options) {
  try {
    run('perf', ['record', '-q', '-e', 'cpu-clock', '-F', '499', '-o', 'perf.data', ...options, program()]);
  } catch (error) {
    if (error instanceof Missing || /is not allowed|Permission|paranoid/i.test(error.message)) throw new Missing(`perf cannot record here (${error.message.slice(0, 80)})`);
    throw error;
  }
}
async function perfScript(fields, wanted, ...recorded) {
  perfRecord(...recorded);
  writeFileSync(file('perf.txt'), run('perf', ['script', '-i', 'perf.data', ...(fields ? ['-F', fields] : [])]).stdout);
  const periods = run('perf', ['script', '-i', 'perf.data', '-G', '-F', 'period,event']).stdout.trim().split('\n').map((line) => Number(line.trim().split(/\s+/)[0]));
  const got = await read(file('perf.txt'));
  const said = [check('Samples', got.total('Samples'), periods.length)];
  if (wanted.periods) said.push(check('CPU time', got.total('CPU time'), periods.reduce((a, b) => a + b, 0)));
  for (const name of wanted.names) if (!got.has(name)) throw new Error(`has no function ${name}`);
  for (const name of wanted.threads ?? []) if (!got.info.side.threads.some((thread) => thread.name === name)) throw new Error(`has no thread ${name}, but ${got.info.side.threads.map((thread) => thread.name)}`);
  return said.join(', ');
}

const PRODUCERS = [
  ['node --cpu-prof', async () => {
    writeFileSync(file('spin.js'), SPIN_JS);
    run(process.execPath, ['--cpu-prof', '--cpu-prof-name=node.cpuprofile', 'spin.js']);
    const got = await read(file('node.cpuprofile'));
    if (!got.has('tax')) throw new Error('has no function tax');
    return check('CPU samples (µs)', got.total('CPU samples'), ownTime(JSON.parse(readFileSync(file('node.cpuprofile'), 'utf8'))), 1e-6);
  }],
  ['node --heap-prof', async () => {
    run(process.execPath, ['--heap-prof', '--heap-prof-name=node.heapprofile', 'spin.js']);
    const sum = (node) => node.selfSize + node.children.reduce((all, child) => all + sum(child), 0);
    return check('Bytes', (await read(file('node.heapprofile'))).total('Bytes in use'), sum(JSON.parse(readFileSync(file('node.heapprofile'), 'utf8')).head));
  }],
  ['node --prof', async () => {
    run(process.execPath, ['--prof', '--logfile=node-prof.log', '--no-logfile-per-isolate', 'spin.js']);
    return refused(file('node-prof.log'), 'node --prof');
  }],
  ['chromium --trace-startup', async () => {
    const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
    if (!existsSync(chromium)) throw new Missing(`${chromium} is not installed`);
    writeFileSync(file('page.html'), `<script>${SPIN_JS.replace('console.log(all)', 'document.title = all')}</script>`);
    spawnSync(chromium, ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${file('chromium')}`, '--trace-startup=devtools.timeline,toplevel,disabled-by-default-v8.cpu_profiler', '--trace-startup-format=json', `--trace-startup-file=${file('trace.json')}`, '--trace-startup-duration=4', '--timeout=5000', '--dump-dom', `file://${file('page.html')}`], { timeout: 60_000 });
    if (!existsSync(file('trace.json'))) throw new Missing('chromium wrote no trace here');
    const got = await read(file('trace.json'));
    const events = JSON.parse(readFileSync(file('trace.json'), 'utf8')).traceEvents;
    const [from, to] = events.filter((event) => 'XBE'.includes(event.ph) && event.ts > 0).reduce(([a, b], event) => [Math.min(a, event.ts), Math.max(b, event.ts + (event.dur ?? 0))], [Infinity, 0]);
    if (got.info.side.meta.durationMs * 1000 < to - from - 1) throw new Error(`lasts ${got.info.side.meta.durationMs} ms, its events ${(to - from) / 1000}`);
    return `${events.length} events, ${got.info.metrics.map((metric) => `${metric.label} ${Math.round(metric.total / 1000)} ms`).join(', ')}`;
  }],
  ['perf script', () => perfScript('', { names: ['till::tax', 'main'], threads: ['Poll Timer 7'], periods: true }, '-g').catch((error) => {
    if (/has no function/.test(error.message)) return perfScript('', { names: ['till::tax(int)'], threads: ['Poll Timer 7'], periods: true }, '-g');
    throw error;
  })],
  ['perf script -F comm,pid,tid,cpu,misc,time,period,event,ip,sym,dso', () => perfScript('comm,pid,tid,cpu,misc,time,period,event,ip,sym,dso', { names: ['main'], threads: ['Poll Timer 7'], periods: true }, '-g', '--sample-cpu')],
  ['perf script -F comm,tid,period,event,ip,sym', () => perfScript('comm,tid,period,event,ip,sym', { names: ['main'], threads: ['Poll Timer 7'], periods: true }, '-g')],
  ['perf script -F comm,tid,ip,sym,dso', () => perfScript('comm,tid,ip,sym,dso', { names: ['main'], threads: ['Poll Timer 7'] }, '-g')],
  ['perf script -F ip,sym,symoff,dso,srcline,time,comm', () => perfScript('comm,time,ip,sym,symoff,dso,srcline', { names: ['main'] }, '-g')],
  ['perf script without call graphs', () => perfScript('', { names: [], threads: ['Poll Timer 7'], periods: true })],
  ['perf.data', () => {
    perfRecord();
    return refused(file('perf.data'), 'perf.data');
  }],
  ...[['callgrind', 'callgrind'], ['cachegrind', 'cachegrind'], ['massif', 'massif'], ['dhat', 'DHAT']].map(([tool, name]) => [`valgrind --tool=${tool}`, () => {
    run('valgrind', [`--tool=${tool}`, `--${tool}-out-file=${file(tool)}`, program()]);
    return refused(file(tool), name);
  }]),
  ['heaptrack', async () => {
    run('heaptrack', ['-o', file('heaptrack'), program()]);
    const recording = readdirSync(folder).find((name) => /^heaptrack\.(zst|gz)$/.test(name));
    const { stdout } = run('heaptrack_print', ['-f', file(recording), '-F', file('heap.folded'), '--flamegraph-cost-type', 'allocations']);
    return check('allocations', (await read(file('heap.folded'))).total('Samples'), Number(/calls to allocation functions: (\d+)/.exec(stdout)[1]));
  }],
  ['gperftools, google-pprof', async () => {
    if (!['google-pprof', 'pprof'].some((name) => spawnSync(name, ['--version']).status === 0)) throw new Missing('google-pprof is not installed');
    run(program('-Wl,--no-as-needed', '-lprofiler'), [], { env: { ...process.env, CPUPROFILE: file('cpu.prof') } });
    await refused(file('cpu.prof'), 'gperftools');
    writeFileSync(file('pprof.folded'), run('google-pprof', ['--collapsed', program(), file('cpu.prof')]).stdout);
    const { stdout, stderr } = run('google-pprof', ['--text', program(), file('cpu.prof')]);
    return check('samples', (await read(file('pprof.folded'))).total('Samples'), Number(/Total: (\d+) samples/.exec(stdout + stderr)[1]));
  }],
];

let failed = 0;
for (const [name, produce] of PRODUCERS) {
  try {
    console.log(`ok       ${name}: ${await produce()}`);
  } catch (error) {
    if (!(error instanceof Missing)) failed++;
    console.log(`${error instanceof Missing ? 'SKIPPED ' : 'WRONG   '} ${name}: ${error.message}`);
  }
}
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
