// SPDX-License-Identifier: MIT
// What the CLI makes of the page: a session it recorded itself, over `rustscope view` and inside `rustscope report --html`.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { newPage, settled, startBrowser, state, untroubled } from './browser.mjs';
import { makeSession } from './session.mjs';

const rustscope = process.env.RUSTSCOPE ?? fileURLToPath(new URL('../../build/release/bin/rustscope', import.meta.url));
const skip = existsSync(rustscope) ? false : `no ${rustscope} (build the release, or RUSTSCOPE=path)`;
let browser;
let session;

before(async () => {
  if (skip) return;
  browser = await startBrowser();
  session = join(browser.folder, 'session.json');
  execFileSync(rustscope, ['--no-tui', '-q', '-o', session, '--', 'sh', '-c', 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; sleep 0.2'], { stdio: 'ignore', timeout: 60000 });
});
after(() => browser?.close());

const schema = fileURLToPath(new URL('../../docs/session.schema.json', import.meta.url));
const validate = (path) => spawnSync('/usr/bin/python3', ['-c', 'import json, jsonschema, sys; jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))', path, schema], { encoding: 'utf8' });
const noValidator = spawnSync('/usr/bin/python3', ['-c', 'import jsonschema']).status === 0 ? false : 'no python3-jsonschema';

test('the made-up sessions and the recorded one have the shape that the CLI promises', { skip: skip || noValidator }, () => {
  const made = join(browser.folder, 'made.json');
  for (const options of [{}, { spike: false, leak: false }, { fanout: 50, seconds: 3 }]) {
    writeFileSync(made, JSON.stringify(makeSession(options)));
    assert.equal(validate(made).stderr, '');
  }
  assert.equal(validate(session).stderr, '');
});

test('a recorded session opens through rustscope view', { skip }, async () => {
  const server = spawn(rustscope, ['view', '--no-open', session]);
  try {
    const address = await new Promise((resolve) => server.stdout.once('data', (data) => resolve(String(data).trim())));
    const page = await newPage(browser.context, address);
    await page.waitForSelector('[data-testid=status]');
    await settled(page);
    const shown = await state(page);
    assert.equal(shown.format, 'rustscope');
    assert.ok(await page.evaluate(() => globalThis.rustscope.tab.info.side.timeline.points) > 0);
    assert.deepEqual(page.requests.map((one) => one.replace(address, '')), ['', 'session/0']);
    await untroubled(page);
    await page.close();
  } finally {
    server.kill('SIGINT');
    assert.equal(await new Promise((resolve) => server.on('exit', resolve)), 0);
  }
});

const withHtml = !skip && /--html/.test(spawnSync(rustscope, ['report', '--help'], { encoding: 'utf8' }).stdout ?? '');

test('a recorded session opens inside its report, offline', { skip: skip || !withHtml && 'this build has no report --html' }, async () => {
  const path = join(browser.folder, 'cli-report.html');
  execFileSync(rustscope, ['report', '--html', path, session], { stdio: 'ignore', timeout: 30000 });
  const page = await newPage(browser.context, pathToFileURL(path).href);
  await page.waitForSelector('[data-testid=status]');
  await settled(page);
  const inside = await state(page);
  assert.equal(inside.format, 'rustscope');
  assert.equal(page.requests.length, 1);
  await page.evaluate((text) => globalThis.rustscope.load([{ name: 'session.json', data: new Blob([text]) }]), readFileSync(session, 'utf8'));
  await page.waitForFunction(() => globalThis.rustscope.get().tabs.length === 2 && globalThis.rustscope.tab.main);
  await settled(page);
  const { total, nodes, functions, insights } = await state(page);
  assert.deepEqual({ total, nodes, functions, insights }, { total: inside.total, nodes: inside.nodes, functions: inside.functions, insights: inside.insights });
  await untroubled(page);
  await page.close();
});
