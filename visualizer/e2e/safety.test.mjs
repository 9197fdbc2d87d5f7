// SPDX-License-Identifier: MIT
// Offline, under its policy, with hostile names, again and again, and for everybody.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { built, json, newPage, open, reportWith, settled, startBrowser, state, untroubled } from './browser.mjs';
import { makeSession } from './session.mjs';

let browser;
before(async () => {
  browser = await startBrowser({ args: ['--js-flags=--expose-gc'] });
});
after(() => browser.close());

test('a report opens from file:// with one request and no violation', async () => {
  const page = await newPage(browser.context, pathToFileURL(reportWith(browser.folder, makeSession())).href);
  await page.waitForSelector('[data-testid=status]');
  await settled(page);
  assert.ok((await state(page)).total > 5e6);
  assert.equal(page.requests.length, 1, page.requests.join('\n'));
  await untroubled(page);
  await page.close();
});

test('a report opens where its address says', async () => {
  const page = await newPage(browser.context, `${pathToFileURL(reportWith(browser.folder, makeSession())).href}#d=bottom-up&w=7800~9700&q=rehash`);
  await page.waitForSelector('[data-testid=status]');
  await settled(page);
  const shown = await state(page);
  assert.equal(shown.query.mode, 'bottom-up');
  assert.deepEqual(shown.query.window, { fromMs: 7800, toMs: 9700 });
  assert.ok(shown.search.hits > 0);
  await page.close();
});

test('the policy allows nothing that is not in the page, and holds', async () => {
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(readFileSync(built, 'utf8'))[1];
  assert.match(policy, /^default-src 'none'; script-src 'sha256-/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|https?:|\*/);
  const page = await newPage(browser.context);
  const stopped = await page.evaluate(async () => {
    const image = document.createElement('img');
    image.setAttribute('onerror', 'globalThis.ran = 1');
    image.src = 'http://192.0.2.1/x.png';
    document.body.append(image);
    const script = document.createElement('script');
    script.textContent = 'globalThis.ran = 1';
    document.body.append(script);
    const fetched = await fetch('http://192.0.2.1/').then(() => true, () => false);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { ran: globalThis.ran, fetched, violations: globalThis.violations.length };
  });
  assert.equal(stopped.ran, undefined);
  assert.equal(stopped.fetched, false);
  assert.ok(stopped.violations >= 3);
  await page.close();
});

test('names are text, never HTML, and never keys of an object', async () => {
  const hostile = ['</script><img src=x onerror=alert(1)>', '"><svg onload=alert(1)>', '__proto__', 'constructor', 'toString', 'line\u2028separator', '\u202eright-to-left', '&lt;b&gt;', "'", '<b>bold</b>'];
  const session = makeSession({ seconds: 2, name: '</script><img src=x onerror=alert(1)>' });
  session.strings = session.strings.map((text, i) => (i && i % 2 ? hostile[i % hostile.length] + i : text));
  session.threads.forEach((thread, i) => { thread.name = hostile[i]; });
  session.processes[0].exe = hostile[0];
  session.meta.argv = hostile;
  session.memory_events.forEach((event) => { event.location = hostile[0]; });
  session.diagnostics.warnings = hostile;
  const page = await newPage(browser.context, pathToFileURL(reportWith(browser.folder, session, hostile[0])).href);
  await page.waitForSelector('[data-testid=status]');
  await settled(page);
  for (const tab of ['crates', 'modules', 'threads', 'memory', 'scopes', 'functions']) {
    await page.locator(`[data-testid=tab-${tab}]`).click();
    await page.waitForTimeout(50);
  }
  await page.locator('#table-panel [role=row]').nth(2).click();
  await page.locator('[data-testid=spike]').first().click().catch(() => {});
  await settled(page);
  assert.equal(await page.locator('img, b, svg[onload]').count(), 0);
  assert.equal(await page.evaluate(() => ({}).polluted ?? Object.prototype.onerror ?? null), null);
  const folded = hostile.map((name) => `main;${name.replaceAll(';', ',')} 1`).join('\n');
  await open(page, [{ name: '__proto__', data: folded }]);
  assert.equal((await state(page)).total, hostile.length);
  await page.getByRole('button', { name: 'Export' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'SVG' }).click()]);
  const svg = readFileSync(await download.path(), 'utf8');
  assert.doesNotMatch(svg, /<img|<script|onload=alert\(1\)>[^"]/);
  assert.equal(await page.evaluate((text) => new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror')?.textContent ?? '', svg), '');
  await untroubled(page);
  await page.close();
});

test('memory is flat after twenty loads', async () => {
  const page = await newPage(browser.context);
  const file = json('s.json', makeSession({ seconds: 60, fanout: 800 }));
  const client = await browser.context.newCDPSession(page);
  const used = async () => {
    for (let i = 0; i < 3; i++) await client.send('HeapProfiler.collectGarbage');
    const { usedSize } = await client.send('Runtime.getHeapUsage');
    return usedSize + (await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0)) * 0;
  };
  const once = async () => {
    await open(page, [file]);
    await page.evaluate(() => globalThis.rustscope.close(0));
    await page.waitForTimeout(30);
  };
  for (let i = 0; i < 4; i++) await once();
  const before = await used();
  for (let i = 0; i < 16; i++) await once();
  const after_ = await used();
  assert.ok(after_ - before < 3e6, `the page's heap grew from ${(before / 1e6).toFixed(1)} to ${(after_ / 1e6).toFixed(1)} MB`);
  await page.close();
});

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

test('axe finds nothing serious in any view, light and dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const page = await newPage(browser.context);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await page.waitForSelector('[data-testid=drop]');
    await page.evaluate(axeSource);
    const check = async (where) => {
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
      const serious = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
      assert.deepEqual(serious.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`).join(' | ')}`), [], `${colorScheme} ${where}`);
    };
    await check('first screen');
    await open(page, [json('ingest.json', makeSession())]);
    await page.locator('[data-testid=spike]').first().click();
    await settled(page);
    await page.locator('#table-panel [role=row]').nth(1).click();
    await settled(page);
    await check('session');
    for (const tab of ['crates', 'modules', 'memory', 'threads', 'scopes', 'benchmarks']) {
      await page.locator(`[data-testid=tab-${tab}]`).click();
      await page.waitForTimeout(60);
      await check(tab);
    }
    await page.keyboard.press('s');
    await settled(page);
    await check('sandwich');
    await page.keyboard.press('?');
    await check('keys');
    await page.keyboard.press('Escape');
    await open(page, [json('next.json', makeSession({ spike: false, name: 'next' }))]);
    await page.locator('[data-testid=compare]').click();
    await page.waitForTimeout(400);
    await check('compare');
    await page.close();
  }
});
