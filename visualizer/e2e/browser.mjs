// SPDX-License-Identifier: MIT
// What every end-to-end test starts with: Debian's Chromium without network habits, a page that remembers every error,
// request and policy violation, and the built page with or without a session inside it.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

export const built = process.env.RUSTSCOPE_PAGE ?? fileURLToPath(new URL('../out/index.html', import.meta.url));
export const artefacts = fileURLToPath(new URL('artefacts/', import.meta.url));
mkdirSync(artefacts, { recursive: true });

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

export async function startBrowser({ viewport = { width: 1440, height: 900 }, args = [], ...options } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'rustscope-e2e-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, viewport, acceptDownloads: true, args: [...FLAGS, ...args], ...options,
  });
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, folder: profile, close };
}

/** A page whose troubles are collected in page.troubles, and its requests beyond itself in page.requests. */
export async function newPage(context, address = pathToFileURL(built).href) {
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  page.troubles = [];
  page.requests = [];
  page.on('console', (message) => message.type() === 'error' && page.troubles.push(message.text()));
  page.on('pageerror', (error) => page.troubles.push(String(error)));
  page.on('request', (request) => !/^(data|blob):/.test(request.url()) && page.requests.push(request.url()));
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
  });
  await page.goto(address);
  await page.waitForSelector('[data-testid=drop], [data-testid=status], [data-testid=message]');
  return page;
}

export async function untroubled(page) {
  assert.deepEqual(page.troubles, []);
  assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
}

/** Opens files ({name, data}) as if they were dropped, and waits until the first is shown. */
export async function open(page, files) {
  await page.evaluate((list) => globalThis.rustscope.load(list.map(({ name, text }) => ({ name, data: new Blob([text]) }))), files.map(({ name, data }) => ({ name, text: data })));
  await page.waitForFunction(() => document.querySelector('[data-testid=status]') || document.querySelector('[data-testid=message]'));
  await settled(page);
}

/** No question is under way and the last frame is drawn. */
export async function settled(page) {
  await page.waitForTimeout(60);
  await page.waitForFunction(() => !globalThis.rustscope?.tab?.busy);
  await page.waitForTimeout(40); // effects that start animations
  await page.waitForFunction(() => !globalThis.rustscopeFlame?.moving);
}

/** The active tab's state, as far as tests ask. */
export function state(page) {
  return page.evaluate(() => {
    const { tab } = globalThis.rustscope;
    if (!tab) return null;
    return {
      query: tab.query, search: { hits: tab.search.hits, share: tab.search.share }, selected: tab.selection ? tab.info.funcs.names[tab.selection.func] : null,
      shown: tab.main?.status.shown, whole: tab.main?.status.whole, inWindow: tab.main?.status.inWindow, nodes: tab.main?.topology.count, total: tab.main?.value[0],
      functions: tab.main?.tables?.functions.count, insights: tab.insights?.map((one) => one.rule) ?? null, format: tab.info.format, table: tab.table, brushMs: tab.brushMs,
    };
  });
}

export function json(name, value) {
  return { name, data: JSON.stringify(value) };
}

/** The page as `rustscope report --html` fills it. */
export function reportWith(folder, session, name = 'session.json') {
  const block = JSON.stringify({ name, gzip: gzipSync(JSON.stringify(session), { level: 9 }).toString('base64') }).replace(/</g, '\\u003c');
  const path = join(folder, 'report.html');
  writeFileSync(path, readFileSync(built, 'utf8').replace('/*RUSTSCOPE_SESSION*/', () => block));
  return path;
}
