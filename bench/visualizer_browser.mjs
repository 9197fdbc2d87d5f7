#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/*
 * The visualizer beside speedscope's npm build, in the same browser run: load to first painted frame, frames while
 * zooming, flipping and wheeling, search per key, brush, renderer memory, the HTML report, shipped JavaScript.
 *
 *     (cd visualizer && npm ci && npm run build) && RUSTSCOPE=build/release/bin/rustscope node bench/visualizer_browser.mjs [PAIRS [load|frames|brush|report]…]
 *
 * Pairs alternate (speedscope, RustScope, speedscope, …), each in a fresh browser that has come to rest; medians are printed. "First painted
 * frame" is the first drawing call on the page's canvas: a WebGL draw there, putImageData here. Memory is the resident
 * set of the renderer process. Without a GPU speedscope's WebGL runs in software, so read the ratio of loading and the
 * absolute numbers of ours, not the ratio of frames.
 */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const visualizer = fileURLToPath(new URL('../visualizer/', import.meta.url));
const { startBrowser, built } = await import(join(visualizer, 'e2e/browser.mjs'));
const { makeSession } = await import(join(visualizer, 'e2e/session.mjs'));
const { shippedScript } = await import(join(visualizer, 'scripts/build.mjs'));
const { buildSync } = createRequire(join(visualizer, 'package.json'))('esbuild');
const speedscope = join(visualizer, 'node_modules/speedscope/dist/release');
const rustscope = process.env.RUSTSCOPE ?? fileURLToPath(new URL('../build/release/bin/rustscope', import.meta.url));
const pairs = Number(process.argv[2] ?? 3);
const wanted = (part) => process.argv.length < 4 || process.argv.slice(3).includes(part);

const fixtures = buildSync({ stdin: { contents: "export { branchyFolded } from './lib/fixtures/profiles';", resolveDir: visualizer, loader: 'ts' }, bundle: true, format: 'esm', write: false });
const { branchyFolded } = await import(`data:text/javascript;base64,${Buffer.from(fixtures.outputFiles[0].contents).toString('base64')}`);

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const folded = (samples, distinct) => Buffer.from(branchyFolded(samples, distinct));
const files = new Map([['/data/100k.folded', folded(100_000, 20_000)], ['/data/1m.folded', folded(1_000_000, 50_000)]]);

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };
const server = createServer((request, response) => {
  const path = new URL(request.url, 'http://x').pathname;
  try {
    const body = files.get(path) ?? readFileSync(path.startsWith('/speedscope/') ? join(speedscope, path.slice(12)) : path === '/rustscope/' ? built : '/nonexistent');
    response.setHeader('content-type', TYPES[extname(path) || '.html'] ?? 'application/octet-stream');
    response.end(body);
  } catch {
    response.statusCode = 404;
    response.end();
  }
}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.on('listening', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

/** Notes the first drawing call, and measures frames: runs in the page before anything else. */
function instrument() {
  globalThis.firstDraw = 0;
  const note = (prototype, name) => {
    const real = prototype?.[name];
    if (real) prototype[name] = function (...args) {
      const result = real.apply(this, args);
      globalThis.lastDraw = performance.now();
      globalThis.firstDraw ||= globalThis.lastDraw;
      return result;
    };
  };
  note(globalThis.WebGLRenderingContext?.prototype, 'drawArrays');
  note(globalThis.WebGLRenderingContext?.prototype, 'drawElements');
  note(globalThis.CanvasRenderingContext2D?.prototype, 'putImageData');
  globalThis.frames = async (milliseconds) => {
    const times = [];
    const end = performance.now() + milliseconds;
    let last = await new Promise(requestAnimationFrame);
    while (last < end) {
      const now = await new Promise(requestAnimationFrame);
      times.push(now - last);
      last = now;
    }
    return times;
  };
}

/** A browser goes on starting for a while after its first page is there, on all cores: that is no page's loading time. */
const STARTED_MS = 2500;

async function inBrowser(address, run, options = {}) {
  const browser = await startBrowser(options);
  try {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(120_000);
    await page.addInitScript(instrument);
    await sleep(STARTED_MS);
    await page.goto(address);
    return await run(page, browser);
  } finally {
    await browser.close();
  }
}

async function rendererBytes(browser) {
  const client = await browser.context.browser()?.newBrowserCDPSession?.() ?? await browser.context.newCDPSession(browser.context.pages()[0]);
  const { processInfo } = await client.send('SystemInfo.getProcessInfo').catch(() => ({ processInfo: [] }));
  const sizes = processInfo.filter((one) => one.type === 'renderer').map(({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))[1]) * 1024);
  return Math.max(NaN, ...sizes.length ? sizes : [NaN]) || Math.max(...sizes, 0);
}

const firstDraw = (page) => page.waitForFunction(() => globalThis.firstDraw, null, { polling: 50 }).then((handle) => handle.jsonValue());
const ours = (name) => `${origin}/rustscope/?url=/data/${name}`;
const theirs = (name) => `${origin}/speedscope/index.html#profileURL=${encodeURIComponent(`${origin}/data/${name}`)}`;

const say = (what, text, must) => console.log(`${what.padEnd(46)} ${text.padEnd(64)} must: ${must}`);
const ms = (value) => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
const mb = (value) => `${(value / 1e6).toFixed(0)} MB`;

if (wanted('load')) for (const name of ['100k.folded', '1m.folded']) {
  const load = { ours: [], theirs: [] };
  const memory = { ours: [], theirs: [] };
  for (let i = 0; i < pairs; i++) {
    for (const [who, address] of [['theirs', theirs(name)], ['ours', ours(name)]]) {
      await inBrowser(address, async (page, browser) => {
        load[who].push(await firstDraw(page));
        await page.waitForTimeout(1500);
        memory[who].push(await rendererBytes(browser));
      });
    }
  }
  say(`load ${name} to first frame`, `${ms(median(load.ours))} against ${ms(median(load.theirs))}: ${(median(load.ours) / median(load.theirs)).toFixed(2)}`, '<= 0.33');
  say(`renderer memory with ${name}`, `${mb(median(memory.ours))} against ${mb(median(memory.theirs))}: ${(median(memory.ours) / median(memory.theirs)).toFixed(2)}`, name.startsWith('1m') ? '<= 0.50' : '-');
}

if (wanted('frames')) for (const dpr of [1, 2]) await inBrowser(ours('1m.folded'), async (page) => {
  await firstDraw(page);
  await page.waitForTimeout(2500);
  const frames = (what, times) => say(`${what} at 1M samples, DPR ${dpr}`, `median ${ms(median(times))}, worst ${ms(Math.max(...times))} of ${times.length} frames`, dpr === 1 ? 'median <= 17, worst <= 25' : '-');
  const during = (start, milliseconds) => page.evaluate(`(async () => { const measured = frames(${milliseconds}); ${start}; return measured; })()`);
  const zoom = [];
  for (const [from, to] of [[0.1, 0.4], [0.2, 0.21], [0, 1], [0.6, 0.601], [0, 1]]) zoom.push(...(await during(`rustscopeFlame.zoomTo(${from}, ${to})`, 300)));
  frames('zoom', zoom);
  const flip = [];
  for (const up of [true, false, true, false]) flip.push(...(await during(`rustscopeFlame.setFlip(${up})`, 330)));
  frames('flip', flip);
  await page.mouse.move(500, 400);
  await page.keyboard.down('Control');
  const measured = page.evaluate(() => globalThis.frames(1600));
  for (let i = 0; i < 40; i++) {
    await page.mouse.wheel(0, i < 20 ? -60 : 60);
    await page.waitForTimeout(25);
  }
  await page.keyboard.up('Control');
  frames('wheel', await measured);
  const keys = [];
  for (const text of ['realloc', 'serde', 'f1']) {
    await page.locator('[data-testid=search]').first().fill('');
    await page.evaluate(() => {
      globalThis.keyTimes = [];
      document.addEventListener('input', () => {
        const start = performance.now();
        requestAnimationFrame(() => setTimeout(() => globalThis.keyTimes.push(performance.now() - start)));
      }, { capture: true });
    });
    await page.locator('[data-testid=search]').first().pressSequentially(text, { delay: 120 });
    await page.waitForTimeout(300);
    keys.push(...(await page.evaluate(() => globalThis.keyTimes)));
  }
  say(`search, a key at 1M samples, DPR ${dpr}`, `median ${ms(median(keys))}, worst ${ms(Math.max(...keys))}`, '<= 60 ms');
}, { deviceScaleFactor: dpr });

if (wanted('brush')) {
  const long = makeSession({ seconds: 600, rateHz: 1000, fanout: 2500, scale: 1.35 });
  files.set('/data/long.json', Buffer.from(JSON.stringify(long)));
  await inBrowser(ours('long.json'), async (page) => {
    await firstDraw(page);
    await page.waitForTimeout(1500);
    const times = await page.evaluate(async () => {
      const store = globalThis.rustscope;
      const list = [];
      for (let i = 0; i < 40; i++) {
        const before = store.tab.main;
        const start = performance.now();
        store.query({ window: { fromMs: 3000 * i, toMs: 3000 * i + 20000 + 10000 * (i % 30) } }, true);
        // Until the frame in which the graph of the new window was drawn is done: the answer first, then a later drawing.
        await new Promise((resolve) => {
          const off = store.subscribe(() => {
            if (store.tab.main === before) return;
            off();
            const answered = performance.now();
            const frame = () => (globalThis.lastDraw > answered ? setTimeout(resolve) : requestAnimationFrame(frame));
            requestAnimationFrame(frame);
          });
        });
        list.push(performance.now() - start);
      }
      return list;
    });
    const samples = await page.evaluate(() => globalThis.rustscope.tab.info.side.diagnostics.stackSamples);
    say(`brush, 10 minutes, ${samples} samples`, `median ${ms(median(times))}, worst ${ms(Math.max(...times))} to repainted`, '<= 50 ms');
  });
}

if (wanted('report')) {
  // The made-up scopes are not the CLI's: it would refuse the session.
  const { scopes, outliers, budget_violations, async_tasks, benchmarks, ...ten } = makeSession({ seconds: 600, rateHz: 1300, fanout: 2500, scale: 1.2 });
  const bytes = JSON.stringify(ten).length;
  const reports = [];
  let size = 0;
  for (let i = 0; i < pairs; i++) {
    const browser = await startBrowser();
    const session = join(browser.folder, 'ten.json');
    const path = join(browser.folder, 'report.html');
    writeFileSync(session, JSON.stringify(ten));
    execFileSync(rustscope, ['report', '--html', path, session], { stdio: 'ignore' });
    size = statSync(path).size;
    const page = await browser.context.newPage();
    await page.addInitScript(instrument);
    await sleep(STARTED_MS);
    await page.goto(pathToFileURL(path).href, { waitUntil: 'commit' });
    reports.push(await page.waitForFunction(() => globalThis.rustscope?.tab?.main && !globalThis.rustscope.tab.busy && performance.now(), null, { polling: 20 }).then((handle) => handle.jsonValue()));
    await browser.close();
  }
  say(`HTML report of a ${mb(bytes)} session`, `${(size / 1e6).toFixed(2)} MB, interactive after ${ms(median(reports))}`, '<= 3 MB, <= 1500 ms');
}

const script = shippedScript(readFileSync(built, 'utf8'));
say('shipped JavaScript', `${(script.bytes / 1e3).toFixed(0)} kB, ${(script.gzipped / 1e3).toFixed(1)} kB gzipped`, '<= 260 kB gzipped');
server.close();
