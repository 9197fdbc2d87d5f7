// SPDX-License-Identifier: MIT
// Files at the limit, written piece by piece to the disk: the page answers all the while, and says so beyond it.
import assert from 'node:assert/strict';
import { closeSync, openSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { newPage, settled, startBrowser, state, untroubled } from './browser.mjs';

let browser;
let page;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());
beforeEach(async () => {
  page = await newPage(browser.context);
});
afterEach(() => page.close());

/** Folded stacks of 13 frames, at most BYTES; returns what their values add up to. */
function writeFolded(path, bytes, weight) {
  const file = openSync(path, 'w');
  let seed = 1;
  const below = (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  // Blocks are made once and repeated: what is tested is the reader, not this writer.
  const blocks = Array.from({ length: 16 }, () => {
    let text = '';
    for (let i = 0; i < 5000; i++) {
      text += 'main';
      for (let depth = 0; depth < 12; depth++) text += `;app::module_${below(depth < 4 ? 4 : 12)}::function_${below(depth < 6 ? 6 : 40)}`;
      text += ` ${weight}\n`;
    }
    return Buffer.from(text);
  });
  let size = 0;
  let total = 0;
  for (let i = 0; size + blocks[i % 16].length <= bytes; i++) {
    size += writeSync(file, blocks[i % 16]);
    total += 5000 * weight;
  }
  closeSync(file);
  return { size, total };
}

/** Picks the file; returns how long the page was deaf at the longest, in ms. */
async function pick(path) {
  await page.evaluate(() => {
    globalThis.deaf = 0;
    let before = performance.now();
    setInterval(() => {
      globalThis.deaf = Math.max(globalThis.deaf, performance.now() - before);
      before = performance.now();
    }, 20);
  });
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.locator('[data-testid=drop]').click()]);
  await chooser.setFiles(path);
  await page.waitForSelector('[data-testid=status], [data-testid=message]', { timeout: 240000 });
  return page.evaluate(() => globalThis.deaf);
}

test('a gigabyte of more than a million samples is read, and the page answers meanwhile', async () => {
  const path = join(browser.folder, 'gigabyte.folded');
  const { size, total } = writeFolded(path, 1e9, 3);
  assert.ok(size > 0.99e9 && total > 1e6);
  const deaf = await pick(path);
  await settled(page);
  const shown = await state(page);
  assert.equal(shown.format, 'folded');
  assert.equal(shown.total, total);
  assert.ok(deaf < 5000, `deaf for ${deaf} ms`);
  await page.keyboard.press('2');
  await settled(page);
  assert.equal((await state(page)).total, total);
  await untroubled(page);
});

test('a file beyond the limit gets a sentence, and the page goes on', async () => {
  const path = join(browser.folder, 'beyond.folded');
  writeFolded(path, 10e6, 1);
  truncateSync(path, 1_000_000_001); // sparse: nothing is written
  await pick(path);
  assert.match(await page.locator('[data-testid=message]').innerText(), /more than 1 GB of profile data, which is the limit; record a shorter time or a lower rate/);
  await page.locator('[data-testid=message] button').click();
  const { total } = writeFolded(path, 10e6, 1);
  await pick(path);
  await settled(page);
  assert.equal((await state(page)).total, total);
  await untroubled(page);
});
