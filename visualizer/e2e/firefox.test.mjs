// SPDX-License-Identifier: MIT
// The same page in Firefox. Playwright drives a Firefox of its own only; a distribution's speaks WebDriver BiDi, of which
// this needs four commands.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { artefacts, built, reportWith } from './browser.mjs';
import { makeSession } from './session.mjs';

const firefox = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const skip = existsSync(firefox) ? false : `no ${firefox} (apt-get install firefox-esr, or FIREFOX=path)`;
const Socket = globalThis.WebSocket ?? createRequire(import.meta.url)('next/dist/compiled/ws');

let folder;
let browser;
let socket;
let context;
let last = 0;
const waiting = new Map();
const errors = [];

function send(method, params) {
  const id = ++last;
  socket.send(JSON.stringify({ id, method, params }));
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject, method }));
}

/** The value of EXPRESSION in the page, which has to be JSON. */
async function evaluate(expression) {
  const { type, result, exceptionDetails } = await send('script.evaluate', { expression: `(async () => JSON.stringify((await (${expression})) ?? null))()`, target: { context }, awaitPromise: true });
  assert.equal(type, 'success', exceptionDetails?.text);
  return JSON.parse(result.value);
}

async function until(expression) {
  for (let i = 0; i < 300; i++) {
    if (await evaluate(expression)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`never: ${expression}`);
}

async function visit(path) {
  errors.length = 0;
  await send('browsingContext.navigate', { context, url: pathToFileURL(path).href, wait: 'complete' });
  await evaluate(`void (globalThis.violations = [], addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(event.violatedDirective)))`);
}

async function picture(name) {
  const { data } = await send('browsingContext.captureScreenshot', { context });
  writeFileSync(join(artefacts, name), Buffer.from(data, 'base64'));
}

/** How many colours the middle of the flame graph has: a blank canvas has one. */
const COLOURS = `(() => {
  const canvas = document.querySelector('[data-testid=flame-main] canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
})()`;

const SETTLED = `document.querySelector('[data-testid=status]') && !globalThis.rustscope.tab.busy && !globalThis.rustscopeFlame?.moving`;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'rustscope-firefox-'));
  browser = spawn(firefox, ['--headless', '--no-remote', '--profile', folder, '--width', '1440', '--height', '900', '--remote-debugging-port', '0', 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const address = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`Firefox does not listen: ${said}`)), 60000);
    browser.stderr.on('data', (data) => {
      said += data;
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said);
      if (found) resolve(found[1]);
      if (found) clearTimeout(late);
    });
  });
  socket = new Socket(`${address}/session`);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.method === 'log.entryAdded' && message.params.level === 'error') errors.push(message.params.text);
    const one = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.type === 'error') one?.reject(new Error(`${one.method}: ${message.message}`));
    else one?.resolve(message.result);
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  await send('session.new', { capabilities: {} });
  await send('session.subscribe', { events: ['log.entryAdded'] });
  context = (await send('browsingContext.getTree', {})).contexts[0].context;
});
after(async () => {
  if (skip) return;
  await send('browser.close', {}).catch(() => undefined);
  socket.close();
  if (browser.exitCode === null) await new Promise((resolve) => browser.on('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
});

test('Firefox: a session is drawn, brushed, turned over and searched', { skip }, async () => {
  await visit(built);
  await until(`document.querySelector('[data-testid=drop]') !== null`);
  await evaluate(`globalThis.rustscope.load([{ name: 's.json', data: new Blob([${JSON.stringify(JSON.stringify(makeSession()))}]) }]).then(() => 1)`);
  await until(SETTLED);
  assert.ok(await evaluate(COLOURS) > 8);
  const whole = await evaluate('globalThis.rustscope.tab.main.value[0]');
  await evaluate(`void globalThis.rustscope.query({ window: { fromMs: 1000, toMs: 3000 } })`);
  await until(`${SETTLED} && globalThis.rustscope.tab.main.value[0] < ${whole}`);
  const part = await evaluate('globalThis.rustscope.tab.main.value[0]');
  assert.ok(part > 0 && part < whole);
  await evaluate(`void globalThis.rustscope.query({ mode: 'bottom-up' })`);
  await until(SETTLED);
  assert.equal(await evaluate('globalThis.rustscope.tab.main.value[0]'), part);
  assert.ok(await evaluate(COLOURS) > 8);
  await evaluate(`void globalThis.rustscope.search('insert', false)`);
  await until('globalThis.rustscope.tab.search.hits > 0');
  await picture('firefox.png');
  assert.deepEqual(await evaluate('globalThis.violations'), []);
  assert.deepEqual(errors, []);
});

test('Firefox: a report opens from file://', { skip }, async () => {
  await visit(reportWith(folder, makeSession()));
  await until(SETTLED);
  assert.ok(await evaluate(COLOURS) > 8);
  assert.equal(await evaluate('globalThis.rustscope.tab.info.format'), 'rustscope');
  assert.deepEqual(errors, []);
});
