// SPDX-License-Identifier: MIT
// Every view and every key, on a session with planted truths (session.mjs).
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { artefacts, json, newPage, open, settled, startBrowser, state, untroubled } from './browser.mjs';
import { makeSession } from './session.mjs';

let browser;
let page;
const session = json('ingest.json', makeSession());
const REHASH = 'hashbrown::raw::RawTable<T,A>::reserve_rehash';

before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());
beforeEach(async () => {
  await page?.close();
  page = await newPage(browser.context);
  await open(page, [session]);
});

const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
  await settled(page);
};
const chips = () => page.locator('[data-testid=chip]').allInnerTexts();
const flame = () => page.locator('[data-testid=flame-main]');
const clickFrame = async (name) => {
  const at = await page.evaluate((wanted) => {
    const { tab } = globalThis.rustscope;
    const made = globalThis.rustscopeFlame;
    const func = tab.info.funcs.names.indexOf(wanted);
    let best = -1;
    for (let i = 1; i < tab.main.topology.count; i++) if (tab.main.topology.func[i] === func && (best < 0 || tab.main.value[i] > tab.main.value[best])) best = i;
    const [left, right] = made.renderer.span(best);
    return { x: (Math.max(0, left) + Math.min(right, made.renderer.width)) / 2, y: made.renderer.rowTop(made.renderer.rowOf(best)) + 8 };
  }, name);
  await flame().locator('canvas').click({ position: at });
  await page.waitForTimeout(80);
};
const brush = async (from, to) => {
  const box = await page.locator('[data-testid=timeline]').boundingBox();
  const plot = box.width - 96 - 80;
  const x = (share) => box.x + 96 + plot * share;
  await page.mouse.move(x(from), box.y + 60);
  await page.mouse.down();
  await page.mouse.move(x((from + to) / 2), box.y + 60, { steps: 3 });
  await page.mouse.move(x(to), box.y + 60, { steps: 3 });
  await page.mouse.up();
  await settled(page);
};

test('a session shows its facts, timeline, flame graph and tables', async () => {
  assert.equal(await page.locator('[data-testid=session-name]').innerText(), 'ingest');
  const shown = await state(page);
  assert.ok(shown.nodes > 40 && shown.total > 5e6);
  assert.equal(shown.total, shown.whole);
  assert.ok(await page.locator('[data-testid="table-Functions"] [role=row]').count() > 5);
  assert.equal(await page.locator('[data-testid=spike]').count(), 2);
  const painted = await page.evaluate(() => {
    const canvas = document.querySelector('[data-testid=flame-main] canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, 120);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4 * 97) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    return seen.size;
  });
  assert.ok(painted > 6, `only ${painted} colours on the canvas`);
  await untroubled(page);
});

test('the value of a lane stands beside the lane, not in it', async () => {
  await open(page, [json('busy.json', (() => {
    const busy = makeSession();
    for (const key of Object.keys(busy.timeline)) if (/alloc|read|write/.test(key) && Array.isArray(busy.timeline[key])) busy.timeline[key] = busy.timeline[key].map((value) => value * 29.7);
    return busy;
  })())]);
  const labels = await page.evaluate(() => [...document.querySelectorAll('[data-testid=lane-value]')].flatMap((box) => [...box.children].map((label) => ({ text: label.textContent, over: box.getBoundingClientRect().left - label.getBoundingClientRect().left }))));
  assert.ok(labels.some(({ text }) => text.length >= 9), JSON.stringify(labels));
  for (const { text, over } of labels) assert.ok(over <= -6, `${text} begins ${-over} px beside its lane`);
});

test('brushing re-filters the flame graph, the tables and the status line; a click outside takes it back', async () => {
  const whole = await state(page);
  await brush(0.1, 0.3);
  const part = await state(page);
  assert.ok(part.query.window.fromMs >= 1300 && part.query.window.toMs <= 4400);
  assert.ok(part.shown > whole.shown * 0.1 && part.shown < whole.shown * 0.3);
  assert.match((await chips()).join(), /window 1\.\d+ s–4\.\d+ s/);
  const self = await page.evaluate(() => globalThis.rustscope.tab.main.tables.functions.self.reduce((sum, value) => sum + value, 0));
  assert.ok(Math.abs(self - part.total) < 1, 'the table adds up to the graph');
  const box = await page.locator('[data-testid=timeline]').boundingBox();
  await page.mouse.click(box.x + box.width * 0.8, box.y + 60);
  await settled(page);
  assert.equal((await state(page)).query.window, null);
  await untroubled(page);
});

test('the window moves by drag and by keys', async () => {
  await brush(0.2, 0.4);
  const first = (await state(page)).query.window;
  const box = await page.locator('[data-testid=brush]').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 120, box.y + 30, { steps: 4 });
  await page.mouse.up();
  await settled(page);
  const moved = (await state(page)).query.window;
  assert.ok(moved.fromMs > first.fromMs + 500);
  assert.equal(Math.round(moved.toMs - moved.fromMs), Math.round(first.toMs - first.fromMs));
  await page.locator('[data-testid=brush]').focus();
  await press('ArrowRight');
  assert.equal(Math.round((await state(page)).query.window.fromMs - moved.fromMs), 100);
});

test('the time axis zooms with Ctrl+wheel at the pointer and pans with Shift+wheel; outliers of scopes stand on it', async () => {
  const outlier = page.locator('[data-testid=timeline] [title^="outlier: index, 11.2"]');
  const place = async () => {
    const [dot, spike] = [await outlier.boundingBox(), await page.locator('[data-testid=spike]').first().boundingBox()];
    return { x: dot.x + dot.width / 2, apart: dot.x + dot.width / 2 - (spike.x + spike.width / 2) }; // the outlier is 200 ms after the spike began
  };
  const whole = await place();
  const box = await page.locator('[data-testid=timeline]').boundingBox();
  await page.mouse.move(whole.x, box.y + 60);
  const wheel = async (key, dy, times) => {
    await page.keyboard.down(key);
    for (let i = 0; i < times; i++) await page.mouse.wheel(0, dy);
    await page.keyboard.up(key);
    await page.waitForTimeout(100);
    return place();
  };
  const near = await wheel('Control', -200, 4);
  assert.ok(near.apart > 4 * whole.apart, `${near.apart} from ${whole.apart}`);
  assert.ok(Math.abs(near.x - whole.x) < 3, `${near.x} from ${whole.x}`);
  const panned = await wheel('Shift', 50, 1);
  assert.ok(panned.x < near.x - 20 && Math.abs(panned.apart - near.apart) < 1, JSON.stringify([near, panned]));
  assert.deepEqual(await wheel('Control', 300, 12), whole);
  assert.equal((await state(page)).query.window, null); // looking closer is not brushing
  await untroubled(page);
});

test('a spike selects its window and names the functions and allocation paths behind it', async () => {
  await page.locator('[data-testid=spike]').first().click();
  await settled(page);
  const { query } = await state(page);
  assert.ok(Math.abs(query.window.fromMs - 7800) <= 100 && Math.abs(query.window.toMs - 9700) <= 100);
  // The reader's function leads; what of a library's it ran stands below it.
  assert.match(await page.locator('[data-testid=spike-functions]').innerText(), /^ingest::index::Index::insert[\s\S]*via hashbrown::raw::RawTable::reserve_rehash/);
  assert.match(await page.locator('[data-testid=spike-allocations]').innerText(), /^ingest::index::Index::insert[\s\S]*via hashbrown::map::HashMap::insert[\s\S]*ingest::worker::handle/);
  const first = page.locator('[data-testid="table-Functions"] [role=row]').nth(1);
  assert.match(await first.innerText(), /reserve_rehash/);
  await press(']');
  assert.ok((await state(page)).query.window.fromMs > 8000);
});

test('every metric can be shown; those of the whole session say so under a window', async () => {
  const options = await page.locator('[data-testid=metric] option').allInnerTexts();
  for (const wanted of ['CPU time', 'Off-CPU time', 'Bytes allocated', 'Net bytes', 'Allocations', 'Peak', 'Leaked bytes', 'Temporary allocations', 'Instrumented scopes']) assert.ok(options.includes(wanted), wanted);
  await brush(0.2, 0.5);
  for (const label of options) {
    await page.locator('[data-testid=metric]').selectOption({ label });
    await settled(page);
    const whole = await page.evaluate(() => !globalThis.rustscope.tab.main.metric.windowed);
    assert.equal(await page.locator('[data-testid=ignores]').count(), whole ? 1 : 0, label);
    assert.ok((await state(page)).total > 0, label);
  }
  await untroubled(page);
});

test('the first picture shows the reader’s code: what comes before it is one frame that opens on a click', async () => {
  const fold = await page.evaluate(() => {
    const { main, info } = globalThis.rustscope.tab;
    const [[node, path]] = main.topology.folds;
    const made = globalThis.rustscopeFlame;
    const [left, right] = made.renderer.span(node);
    const below = [...main.topology.func].map((func, i) => (main.topology.parent[i] === node ? info.funcs.names[func] : '')).filter(Boolean);
    return { names: path.map((func) => info.funcs.names[func]), below, x: (left + right) / 2, y: made.renderer.rowTop(made.renderer.rowOf(node)) + 8, nodes: main.topology.count };
  });
  assert.ok(fold.names.length >= 2 && !fold.names.some((name) => name.startsWith('ingest::')), fold.names.join());
  assert.match((await chips()).join(), /start-up frames folded/);
  await flame().locator('canvas').hover({ position: { x: fold.x, y: fold.y } });
  await page.waitForSelector('[data-testid=hover-card]');
  const card = await page.locator('[data-testid=hover-card]').innerText();
  assert.match(card, /frames: [\s\S]*Click to show its frames/);
  await flame().locator('canvas').click({ position: { x: fold.x, y: fold.y } });
  await settled(page);
  const open_ = await state(page);
  assert.equal(open_.query.foldRoot, false);
  assert.ok(open_.nodes > fold.nodes);
  assert.doesNotMatch((await chips()).join(), /folded/);
  await press('u');
  assert.equal((await state(page)).nodes, fold.nodes);
  await untroubled(page);
});

test('folded tables leave the flame graph their height; naming one shows them again', async () => {
  const height = () => flame().evaluate((box) => box.getBoundingClientRect().height);
  const before = await height();
  await press('b');
  assert.ok(await height() > before + 120);
  assert.equal(await page.locator('[data-testid=fold-tables]').getAttribute('aria-expanded'), 'false');
  await page.locator('[data-testid=tab-memory]').click();
  assert.equal(await height(), before);
  assert.equal(await page.locator('[data-testid=memory]').isVisible(), true);
});

test('top-down, bottom-up and sandwich have equal totals; the flip keeps search, filters and window', async () => {
  await brush(0.3, 0.6);
  await page.keyboard.press('/');
  await page.keyboard.type('serde');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.evaluate(() => globalThis.rustscope.search('serde', false));
  const down = await state(page);
  await press('2');
  const up = await state(page);
  assert.equal(up.query.mode, 'bottom-up');
  assert.ok(Math.abs(up.total - down.total) < 1);
  assert.deepEqual(up.query.window, down.query.window);
  assert.ok(up.search.hits > 0 && up.search.share > 0);
  await press('1', 'x');
  assert.equal((await state(page)).query.flame, true);
  assert.equal(await page.evaluate(() => globalThis.rustscopeFlame.renderer.flip), 1);
  await press('x');
  await clickFrame('ingest::index::Index::insert');
  await press('s');
  const sandwich = await state(page);
  assert.equal(sandwich.query.mode, 'sandwich');
  assert.equal(await page.locator('[data-testid=flame-callers]').count(), 1);
  const halves = await page.evaluate(() => [globalThis.rustscope.tab.main.value[0], globalThis.rustscope.tab.callers.value[0]]);
  assert.ok(Math.abs(halves[0] - halves[1]) < 1);
  await untroubled(page);
});

test('undo and redo walk through every change', async () => {
  await press('2', 'y', 'x');
  await brush(0.1, 0.2);
  const last = (await state(page)).query;
  await press('u');
  assert.equal((await state(page)).query.window, null);
  await press('Control+z', 'Control+z', 'u');
  const first = (await state(page)).query;
  assert.equal(first.mode, 'top-down');
  assert.equal(first.onlyMyCode, false);
  await press('U', 'U', 'Control+Shift+z', 'Control+y');
  assert.deepEqual((await state(page)).query, last);
});

test('the layers are a legend only where frames have the colours of layers', async () => {
  const swatches = async () => {
    await page.waitForTimeout(100);
    return page.locator('[data-testid^=layer-swatch-]').evaluateAll((all) => new Set(all.map((one) => getComputedStyle(one).backgroundColor)).size);
  };
  const minimap = () => page.locator('[data-testid=minimap]').evaluate((canvas) => [...new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer))].sort().join());
  assert.ok((await swatches()) > 3, 'a session that knows whose code it is shows that');
  const byLayer = await minimap();
  await page.evaluate(() => globalThis.rustscope.set({ colorBy: 'crate' }));
  assert.equal(await swatches(), 1);
  assert.notEqual(await minimap(), byLayer, 'the minimap has the colours of the graph');
  await page.evaluate(() => globalThis.rustscope.set({ colorBy: 'layer' }));
  assert.ok((await swatches()) > 3);
  assert.equal(await minimap(), byLayer);
});

test('only my code and hidden layers charge callers, and nothing gets lost', async () => {
  const all = await state(page);
  await press('y');
  const mine = await state(page);
  assert.ok(Math.abs(mine.total - all.total) < 1);
  const names = await page.evaluate(() => [...new Set([...globalThis.rustscope.tab.main.topology.func].filter((func) => func >= 0).map((func) => globalThis.rustscope.tab.info.funcs.names[func]))]);
  assert.ok(names.includes('ingest::worker::handle') && !names.some((name) => /tokio|serde_json|hashbrown|malloc/.test(name)), names.join());
  assert.match(await page.locator('[data-testid=status]').innerText(), /charged to callers/);
  await press('y');
  await page.locator('[data-testid=layer-dep]').click();
  await settled(page);
  assert.ok(Math.abs((await state(page)).total - all.total) < 1);
  assert.match((await chips()).join(), /dep hidden \(charged to callers\)/);
});

test('merge, focus, drop, collapse and presets are chips that come off', async () => {
  for (const [key, label] of [['f', /focus: ingest::index::Index::insert/], ['m', /merged/], ['d', /dropped/], ['c', /collapsed/], ['C', /crate collapsed: ingest/], ['M', /crate merged: ingest/]]) {
    await clickFrame('ingest::index::Index::insert');
    await press(key);
    assert.match((await chips()).join(), label, key);
    const before = await state(page);
    assert.ok(before.total > 0, key);
    await page.locator('[data-testid=chip] button').last().click();
    await settled(page);
    assert.equal((await state(page)).query.transforms.length, 0, key);
  }
  await page.locator('[data-testid=more]').click();
  await page.getByRole('menuitemcheckbox', { name: 'Hide tokio' }).click();
  await settled(page);
  assert.match((await chips()).join(), /tokio hidden/);
  assert.equal(await page.evaluate(() => [...globalThis.rustscope.tab.main.topology.func].some((func) => func >= 0 && globalThis.rustscope.tab.info.funcs.names[func].startsWith('tokio::'))), false);
  await press('r');
  assert.equal((await state(page)).query.recursion, 'direct');
  const walks = await page.evaluate(() => {
    const { main, info } = globalThis.rustscope.tab;
    return [...main.topology.func].filter((func) => func >= 0 && info.funcs.names[func] === 'ingest::dedup::walk').length;
  });
  assert.equal(walks, 1, 'four recursive frames became one');
});

test('zoom by double click, keys, wheel, minimap; Escape and 0 come back', async () => {
  const box = await flame().locator('canvas').boundingBox();
  await clickFrame('ingest::parse::line');
  await page.keyboard.press('Escape');
  const at = await page.evaluate(() => {
    const { tab } = globalThis.rustscope;
    const made = globalThis.rustscopeFlame;
    const func = tab.info.funcs.names.indexOf('ingest::parse::line');
    const node = [...tab.main.topology.func].indexOf(func);
    const [left, right] = made.renderer.span(node);
    return { x: (left + right) / 2, y: made.renderer.rowTop(made.renderer.rowOf(node)) + 8 };
  });
  await flame().locator('canvas').dblclick({ position: at });
  await settled(page);
  const zoomed = (await state(page)).query;
  assert.ok(zoomed.to - zoomed.from < 0.9 && zoomed.to - zoomed.from > 0.1);
  assert.match((await chips()).join(), /zoomed/);
  await press('0');
  assert.deepEqual([(await state(page)).query.from, (await state(page)).query.to], [0, 1]);
  await press('+', '+');
  assert.ok(Math.abs((await state(page)).query.to - (await state(page)).query.from - 0.25) < 0.01);
  await press('>');
  assert.ok((await state(page)).query.from > 0.4);
  await press('-', '-');
  await page.mouse.move(box.x + 300, box.y + 60);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -300);
  await page.keyboard.up('Control');
  // The end of a wheel gesture is told by its silence.
  await page.waitForFunction(() => globalThis.rustscope.tab.query.to - globalThis.rustscope.tab.query.from < 0.9);
  await settled(page);
  const map = await page.locator('[data-testid=minimap]').boundingBox();
  await page.mouse.move(map.x + map.width * 0.2, map.y + 8);
  await page.mouse.down();
  await page.mouse.move(map.x + map.width * 0.6, map.y + 8, { steps: 4 });
  await page.mouse.up();
  await settled(page);
  const ranged = (await state(page)).query;
  assert.ok(Math.abs(ranged.from - 0.2) < 0.02 && Math.abs(ranged.to - 0.6) < 0.02);
  await untroubled(page);
});

test('the hover card tells name, shares, place and crate', async () => {
  await clickFrame('serde_json::read::SliceRead::parse_str');
  const box = await flame().locator('canvas').boundingBox();
  const at = await page.evaluate(() => {
    const made = globalThis.rustscopeFlame;
    const { node } = globalThis.rustscope.tab.selection;
    return { x: made.renderer.span(node)[0] + 20, y: made.renderer.rowTop(made.renderer.rowOf(node)) + 8 };
  });
  await page.mouse.move(box.x + at.x + 2, box.y + at.y);
  const card = await page.locator('[data-testid=hover-card]').innerText();
  for (const part of [/serde_json::read::SliceRead::parse_str/, /total/, /self/, /%/, /serde_json\/src\/read\.rs:480/, /dep/]) assert.match(card, part);
});

test('arrow keys walk the tree and the hidden tree says where they stand', async () => {
  await flame().focus();
  await press('ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown');
  const { selected } = await state(page);
  assert.equal(selected, 'ingest::worker::handle');
  const tree = await page.locator('[data-testid=aria-tree]').innerText();
  assert.match(tree, /3 frames: [\s\S]*ingest::worker::handle/);
  await press('ArrowUp');
  assert.equal((await state(page)).selected, 'tokio::runtime::scheduler::multi_thread::worker::run');
  await press('Enter'); // opens what is folded
  assert.equal((await state(page)).query.foldRoot, false);
  await press('ArrowDown');
  assert.equal((await state(page)).selected, 'tokio::runtime::task::raw::poll');
  await press('Enter');
  assert.ok((await state(page)).query.to < 1);
});

test('search counts matches and share, steps through them, knows regular expressions', async () => {
  await page.keyboard.press('/');
  await page.keyboard.type('serde_json');
  await page.waitForTimeout(150);
  assert.match(await page.locator('[data-testid=matches]').first().innerText(), /\d+ matches, \d+(\.\d)? %/);
  const { search } = await state(page);
  assert.ok(search.hits >= 2 && search.share > 0.3 && search.share < 0.6);
  await page.keyboard.press('Enter');
  await settled(page);
  assert.match((await state(page)).selected, /serde_json/);
  await page.evaluate(() => document.activeElement.blur());
  const first = await page.evaluate(() => globalThis.rustscope.tab.selection.node);
  await press('n');
  assert.notEqual(await page.evaluate(() => globalThis.rustscope.tab.selection.node), first);
  await press('N');
  assert.equal(await page.evaluate(() => globalThis.rustscope.tab.selection.node), first);
  await page.getByRole('button', { name: 'Regular expression' }).first().click();
  await page.locator('[data-testid=search]').first().fill('^ingest::(parse|index)');
  await page.waitForTimeout(150);
  assert.ok((await state(page)).search.hits >= 2);
  await page.locator('[data-testid=search]').first().fill('([');
  await page.waitForTimeout(150);
  assert.match(await page.locator('[data-testid=matches]').first().innerText(), /regular expression/i);
  await untroubled(page);
});

test('tables sort, filter, select and drill down from crate to functions', async () => {
  const firstRow = () => page.locator('#table-panel [role=row]').nth(1).innerText();
  const bySelf = await firstRow();
  await page.getByRole('columnheader', { name: /Total/ }).locator('button').click();
  assert.notEqual(await firstRow(), bySelf);
  await page.locator('[data-testid=filter]').fill('rehash');
  await page.waitForTimeout(100);
  assert.match(await firstRow(), /reserve_rehash/);
  await page.locator('#table-panel [role=row]').nth(1).click();
  assert.equal((await state(page)).selected, REHASH);
  assert.match(await page.locator('[data-testid=selected]').innerText(), /HashMap::insert/);
  await page.waitForSelector('[data-testid=hot-in] button');
  await page.locator('[data-testid=filter]').fill('');
  await page.locator('[data-testid=tab-crates]').click();
  await page.locator('#table-panel [role=row]', { hasText: 'serde_json' }).dblclick();
  await page.waitForTimeout(100);
  assert.equal((await state(page)).table, 'functions');
  const rows = await page.locator('#table-panel [role=row]').allInnerTexts();
  assert.ok(rows.slice(1).every((row) => row.includes('serde_json')), rows.join('|'));
});

test('on a phone the table has self and total side by side', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('button', { name: 'Tables', exact: true }).click();
  await page.waitForTimeout(150);
  const total = await page.getByRole('columnheader', { name: /Total/ }).boundingBox();
  assert.ok(total.x > 0 && total.x + total.width <= 390, JSON.stringify(total));
});

test('a crate in several modules leads to them, and each to its functions', async () => {
  const shared = makeSession();
  const { frames, strings } = shared;
  const write = frames.func.findIndex((name) => strings[name] === 'core::fmt::write');
  frames.object[write] = frames.object[frames.crate.findIndex((crate) => strings[crate] === 'libc.so.6')];
  await open(page, [json('shared.json', shared)]);
  await page.locator('[data-testid=tab-crates]').click();
  await page.locator('#table-panel [role=row]', { hasText: /^core/ }).dblclick();
  await page.waitForTimeout(100);
  assert.equal((await state(page)).table, 'modules');
  const modules = await page.locator('#table-panel [role=row]').allInnerTexts();
  assert.equal(modules.length, 3, modules.join('|')); // the head, the program and libc
  assert.ok(!modules[0].includes('Total'), 'parts have no total');
  await page.locator('#table-panel [role=row]', { hasText: 'libc.so.6' }).dblclick();
  await page.waitForTimeout(100);
  assert.equal((await state(page)).table, 'functions');
  const rows = await page.locator('#table-panel [role=row]').allInnerTexts();
  assert.equal(rows.length, 2);
  assert.match(rows[1], /^write|fmt::write/);
  const part = /([\d.]+) %/.exec(modules.find((row) => row.includes('libc.so.6')))[1];
  assert.ok(rows[1].includes(`${part} %`), 'the module has what its functions have');
  await page.getByRole('button', { name: 'Remove filter core' }).click();
  await page.waitForTimeout(100);
  assert.ok((await page.locator('#table-panel [role=row]').count()) > 2);
});

test('"hot in" takes the window in which a function was hot', async () => {
  await page.evaluate((name) => globalThis.rustscope.select(globalThis.rustscope.tab.info.funcs.names.indexOf(name)), REHASH);
  await page.waitForSelector('[data-testid=hot-in] button');
  await page.waitForTimeout(200);
  const hottest = await page.evaluate(() => {
    const bars = [...document.querySelectorAll('[data-testid=hot-in] button')];
    const heights = bars.map((bar) => parseFloat(bar.firstElementChild.style.height) || 0);
    bars[heights.indexOf(Math.max(...heights))].click();
    return heights.length;
  });
  assert.ok(hottest > 20);
  await settled(page);
  const { window } = (await state(page)).query;
  assert.ok(window.fromMs >= 7500 && window.toMs <= 10000, JSON.stringify(window));
});

test('memory, threads, scopes and benchmarks have their panes', async () => {
  await page.locator('[data-testid=tab-memory]').click();
  const memory = await page.locator('[data-testid=memory]').innerText();
  for (const part of [/peak/, /temporary/, /live at exit/i, /Lifetimes/i, /Sizes/i]) assert.match(memory, part);
  assert.match(await page.locator('[data-testid=leaks]').innerText(), /HashMap::insert[\s\S]*blocks[\s\S]*Index::insert/);
  await page.locator('[data-testid=tab-threads]').click();
  await page.locator('[data-testid=threads] button', { hasText: 'store-writer' }).click();
  await settled(page);
  assert.match((await chips()).join(), /thread store-writer/);
  const writer = await state(page);
  assert.ok(writer.shown > 0 && writer.shown < writer.inWindow * 1.0001 && writer.shown < writer.whole * 0.3);
  await page.locator('[data-testid=tab-scopes]').click();
  assert.match(await page.locator('[data-testid=scopes]').innerText(), /handle[\s\S]*Outliers/i);
  await page.locator('[data-testid=tab-benchmarks]').click();
  assert.match(await page.locator('[data-testid=benchmarks]').innerText(), /parse\/event[\s\S]*95 % interval/);
  const tabs = await page.evaluate(() => globalThis.rustscope.get().tabs.length);
  const now = await page.evaluate(() => { const { side } = globalThis.rustscope.tab.info; return { at: side.meta.startTs, median: side.benchmarks[0].medianNs }; });
  const earlier = (days, factor) => {
    const session = makeSession();
    session.meta.start_ts = now.at - days * 86_400_000;
    session.benchmarks[0].median_ns = now.median * factor;
    return { name: `before-${days}.json`, mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(session)) };
  };
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.locator('[data-testid=benchmarks] button', { hasText: 'Add earlier sessions' }).click()]);
  await chooser.setFiles([earlier(1, 2), earlier(9, 4), { name: 'a.folded', mimeType: 'text/plain', buffer: Buffer.from('a;b 1\n') }]);
  await page.waitForSelector('[data-testid=trend]');
  await page.waitForFunction(() => !globalThis.rustscope.get().loading);
  // The oldest first; this session against each of them; no tab was opened, and a file without benchmarks is said.
  assert.match(await page.locator('[data-testid=benchmarks]').innerText(), /History of 3 sessions[\s\S]*before-9\.json[\s\S]*-75[\s\S]*before-1\.json[\s\S]*-50/);
  assert.equal(await page.evaluate(() => globalThis.rustscope.get().tabs.length), tabs);
  assert.match(await page.locator('[data-testid=message]').first().innerText(), /a\.folded holds no benchmarks/);
  await page.screenshot({ path: join(artefacts, 'benchmark-history.png') });
  await page.locator('[data-testid=message] button').first().click();
  await page.locator('[data-testid=benchmarks] button', { hasText: 'Forget' }).click();
  assert.equal(await page.locator('[data-testid=trend]').count(), 0);
  await untroubled(page);
});

test('a benchmark of the runner: throughput in words, what disturbs it, and its tasks', async () => {
  const bench = makeSession();
  Object.assign(bench.benchmarks[0], { throughput: { bytes_per_sec: 2.5e9, items_per_sec: 1200 }, settled: false, profiled: true, threads: 4, processes: 5, alloc_blocks: 360, alloc_bytes: 120 * 2048 });
  bench.async_tasks = [{ name: 'fetch', process: 0, started: 12, completed: 9, cancelled: 3, polls: 40, busy_ns: 1e6, idle_ns: 3e6, scheduled_ns: 5e5, first_poll_delay_ns: 1e4, max_poll_ns: 2e5, lifetime_ns: 4e6 }];
  await open(page, [json('bench.json', bench)]);
  await page.locator('[data-testid=tab-benchmarks]').click();
  const text = await page.locator('[data-testid=benchmarks]').innerText();
  for (const part of [/2\.50? GB\/s/, /1,200 items\/s/, /went on changing/, /sampled meanwhile/, /allocations a run\s+3\s/, /allocated a run\s+2\.05 kB/, /threads\s+4/, /processes\s+5/]) assert.match(text, part);
  await page.locator('[data-testid=tab-scopes]').click();
  const task = page.locator('[data-testid=scopes] li', { hasText: 'fetch' });
  assert.match(await task.innerText(), /40 polls[\s\S]*25/);
  assert.match(await task.getAttribute('title'), /12 started, 9 completed, 3 cancelled; longest poll 200 µs; waited 500 µs/);
});

test('what no benchmark counted is said, not shown as nothing', async () => {
  await open(page, [json('plain.json', makeSession())]);
  await page.locator('[data-testid=tab-benchmarks]').click();
  assert.match(await page.locator('[data-testid=benchmarks]').innerText(), /allocations a run\s+not counted/);
});

test('the bar of a share is as long as the share, and differs from the row behind it', async () => {
  await open(page, [json('bars.json', makeSession())]);
  await page.locator('[data-testid=tab-functions]').click();
  await settled(page);
  const bars = await page.locator('[data-testid=share-bar]').evaluateAll((list) => list.map((bar) => ({
    part: bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width, text: bar.parentElement.innerText, fill: getComputedStyle(bar).backgroundColor,
  })));
  assert.ok(bars.length > 10);
  for (const { part, text, fill } of bars) {
    assert.ok(Math.abs(part * 100 - Number(/([\d.]+) %/.exec(text)[1])) < 1, `${text}: ${part}`);
    assert.doesNotMatch(fill, /rgba\(0, 0, 0, 0\)|transparent/);
  }
});

test('a screen of 720 pixels shows at least twelve rows of the flame graph', async () => {
  const low = await startBrowser({ viewport: { width: 1280, height: 720 } });
  try {
    const one = await newPage(low.context);
    await open(one, [json('low.json', makeSession())]);
    const height = await one.locator('[data-testid=flame-main] canvas').first().evaluate((canvas) => canvas.getBoundingClientRect().height);
    assert.ok(height >= 12 * 20, `${height} px`);
    await untroubled(one);
  } finally {
    await low.close();
  }
});

test('panes without data say what would fill them, and the command', async () => {
  await open(page, [{ name: 'a.folded', data: 'main;work 3\nmain;rest 1\n' }]);
  for (const [tab, command] of [['memory', /rustscope -- /], ['threads', /rustscope -- /], ['scopes', /rustscope_scope/], ['benchmarks', /rustscope -- .*bench/]]) {
    await page.locator(`[data-testid=tab-${tab}]`).click();
    assert.match(await page.locator('[data-testid=empty]').innerText(), command, tab);
  }
  assert.match(await page.locator('[aria-label=Timeline]').innerText(), /No time axis/);
});

test('insights name the planted troubles, with their thresholds', async () => {
  await page.waitForSelector('[data-testid=insight]');
  const { insights } = await state(page);
  assert.ok(insights.length > 0);
  await page.locator('[data-testid=insight] > button').first().click();
  assert.match(await page.locator('[data-testid=insight]').first().innerText(), /Try:[\s\S]*Rule /);
});

test('the address keeps the view and opens it again', async () => {
  await press('2', 'y');
  await brush(0.5, 0.7);
  await page.evaluate(() => globalThis.rustscope.search('ingest', false));
  await page.waitForTimeout(400);
  const wanted = await state(page);
  const { hash } = new URL(page.url());
  assert.match(hash, /d=bottom-up/);
  await page.evaluate(() => { location.hash = '#d=top-down'; });
  await settled(page);
  await page.evaluate((text) => { location.hash = text; }, hash);
  await settled(page);
  const again = await state(page);
  assert.deepEqual({ ...again.query }, { ...wanted.query });
  assert.equal(again.search.hits, wanted.search.hits);
});

test('two runs of one program are told apart, and noise is grey and says why', async () => {
  await open(page, [json('again.json', makeSession({ seed: 8 }))]);
  assert.deepEqual(await page.locator('[data-testid=session-tab]').allInnerTexts(), ['ingest · ingest.json', 'ingest · again.json']);
  await page.locator('[data-testid=compare]').click();
  await page.waitForSelector('[data-testid=noise]');
  assert.deepEqual(await page.locator('[data-testid=compare-view] select').first().locator('option').allInnerTexts(), ['ingest · ingest.json', 'ingest · again.json']);
  assert.match(await page.locator('[data-testid=noise]').innerText(), /within the sampling error \(95 %\) of [\d,]+ and [\d,]+ samples/);
  const drawn = await page.locator('[data-testid=compare-view] [role=img] canvas').last().evaluate((canvas) => {
    const pixels = new Uint8ClampedArray(canvas.getContext('2d').getImageData(0, 0, canvas.width, 60).data);
    let coloured = 0;
    for (let i = 0; i < pixels.length; i += 4) if (Math.max(pixels[i], pixels[i + 1], pixels[i + 2]) - Math.min(pixels[i], pixels[i + 1], pixels[i + 2]) > 24) coloured++;
    return coloured / (pixels.length / 4);
  });
  assert.ok(drawn < 0.05, `${drawn} of the first rows is coloured though both runs do the same`);
  const regressions = await page.locator('[data-testid="table-Changes"] [role=row]').count();
  await page.getByRole('tab', { name: 'All' }).click();
  const grey = page.locator('[data-testid="table-Changes"] [title="within its sampling error"]').first();
  assert.ok(await page.locator('[data-testid="table-Changes"] [role=row]').count() > regressions);
  assert.match(await grey.getAttribute('class'), /text-muted/);
  await untroubled(page);
});

test('a sandwich shows its function once, between callers and callees', async () => {
  await page.evaluate(() => globalThis.rustscope.sandwich(globalThis.rustscope.tab.info.funcs.names.indexOf('ingest::index::Index::insert')));
  await settled(page);
  assert.match(await page.locator('[data-testid=sandwich-bar]').innerText(), /^ingest::index::Index::insert[\s\S]*\d+(\.\d)? m?s [\d.]+ %/);
  const box = await flame().locator('canvas').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 8);
  await page.waitForSelector('[data-testid=hover-card]');
  assert.match(await page.locator('[data-testid=hover-card]').innerText(), /^hashbrown::map::HashMap/);
  await press('1'); // another view: what the card said is no longer under the pointer
  assert.equal(await page.locator('[data-testid=hover-card]').count(), 0);
  await untroubled(page);
});

test('columns and buttons are whole, places keep their file and line, digits are never cut', async () => {
  for (const width of [1024, 1440]) {
    const other = await startBrowser({ viewport: { width, height: 768 } });
    try {
      const one = await newPage(other.context);
      const big = makeSession();
      for (let i = 0; i < big.cpu.weight_us.length; i++) big.cpu.weight_us[i] *= 977;
      await open(one, [json('big.json', big)]);
      await one.waitForSelector('[data-testid="table-Functions"] [role=row] [role=gridcell]');
      assert.equal(await one.locator('[data-testid=session-name]').evaluate((name) => name.scrollWidth <= name.clientWidth), true, 'the title');
      const cut = () => one.evaluate(() => [...document.querySelectorAll('[role=grid]')].map((grid) => ({ over: grid.scrollWidth - grid.clientWidth, columns: grid.querySelectorAll('[role=columnheader]').length })));
      assert.equal((await cut())[0].over, 0, `${width}: ${JSON.stringify(await cut())}`);
      const clipped = await one.locator('[data-testid=share-bar] + span').evaluateAll((all) => all.filter((text) => text.getBoundingClientRect().left < text.parentElement.getBoundingClientRect().left - 0.5).map((text) => text.textContent));
      assert.deepEqual(clipped, []);
      if (width === 1440) {
        const place = one.locator('[data-testid="table-Functions"] [title*="hashbrown/src/raw/mod.rs:1158"] bdi');
        const ends = await place.evaluate((text) => text.getBoundingClientRect().right - text.parentElement.getBoundingClientRect().right);
        assert.ok(ends <= 1, `file:line ends ${ends} px beyond its column`);
      }
      await one.locator('[data-testid=tab-scopes]').click();
      assert.equal((await cut())[0].over, 0, `scopes at ${width}`);
      await one.evaluate(() => globalThis.rustscope.select(globalThis.rustscope.tab.info.funcs.names.indexOf('ingest::index::Index::insert')));
      await settled(one);
      const [button, side] = await Promise.all([one.getByRole('button', { name: 'Copy stack' }).boundingBox(), one.locator('[data-testid=selected]').boundingBox()]);
      assert.ok(button.y + button.height <= side.y + side.height, 'the buttons of the selection are in sight');
    } finally {
      await other.close();
    }
  }
});

test('two sessions compare: totals, regressions, improvements, both directions', async () => {
  await open(page, [json('next.json', makeSession({ spike: false, seed: 8, name: 'next' }))]);
  assert.equal(await page.locator('[data-testid=session-tab]').count(), 2);
  await page.locator('[data-testid=compare]').click();
  await page.waitForSelector('[data-testid=compare-total]');
  assert.match(await page.locator('[data-testid=compare-total]').innerText(), /→/);
  const drawn = await page.getByRole('img', { name: 'Timelines of both sessions' }).locator('canvas').evaluate((canvas) => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size);
  assert.ok(drawn > 4, `${drawn} colours`);
  const rows = () => page.evaluate(() => globalThis.rustscope.get().compare.view.topology.rowStart.length);
  const folded = await rows();
  await page.getByRole('button', { name: 'Fold the root' }).click();
  await page.waitForFunction((had) => globalThis.rustscope.get().compare.view.topology.rowStart.length > had, folded);
  await page.getByRole('tab', { name: 'Improvements' }).click();
  assert.match(await page.locator('[data-testid="table-Changes"]').innerText(), /reserve_rehash[\s\S]*gone/);
  await page.getByRole('button', { name: 'Absolute' }).click();
  await page.getByRole('button', { name: 'Bottom-up' }).click();
  await page.waitForTimeout(300);
  assert.equal(await page.locator('[data-testid=compare-view] .text-bad', { hasText: 'not' }).count(), 0);
  await untroubled(page);
});

test('exports give files of what is shown', async () => {
  for (const [label, test_] of [['SVG picture', /^<(\?xml|svg)[\s\S]*<\/svg>\s*$/], ['Folded stacks', /;ingest::worker::handle.* \d+/], ['speedscope JSON', /"\$schema"/], ['CSV of functions', /reserve_rehash/], ['PNG picture', /PNG/]]) {
    await page.locator('[data-testid=export]').click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: label }).click()]);
    const content = readFileSync(await download.path(), 'latin1');
    assert.match(content, test_, label);
    assert.match(download.suggestedFilename(), /^ingest\./);
  }
  await untroubled(page);
});

test('the stack of the selected frame goes to the clipboard, innermost frame first', async () => {
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await clickFrame('ingest::parse::line');
  await press('k');
  const copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n');
  assert.deepEqual(copied.slice(0, 2), ['ingest::parse::line', 'ingest::worker::handle']);
  assert.match(copied.at(-1), /^std::thread/);
  await untroubled(page);
});

test('the ? sheet lists the keys and Escape closes it', async () => {
  await press('?');
  assert.equal(await page.locator('dialog[open]').count(), 1);
  assert.match(await page.locator('dialog').innerText(), /bottom-up/);
  await press('Escape');
  assert.equal(await page.locator('dialog[open]').count(), 0);
});

test('keys typed into a field stay there; light and dark are one key apart', async () => {
  await page.locator('[data-testid=filter]').fill('');
  await page.locator('[data-testid=filter]').focus();
  await page.keyboard.type('xyg2');
  const { query } = await state(page);
  assert.equal(query.mode, 'top-down');
  assert.equal(query.flame, false);
  await page.evaluate(() => document.activeElement.blur());
  const theme = await page.evaluate(() => document.documentElement.dataset.theme);
  await press('g');
  assert.notEqual(await page.evaluate(() => document.documentElement.dataset.theme), theme);
});

test('the context menu does what its letters say', async () => {
  await clickFrame('ingest::parse::line');
  const at = await page.evaluate(() => {
    const made = globalThis.rustscopeFlame;
    const { node } = globalThis.rustscope.tab.selection;
    return { x: made.renderer.span(node)[0] + 20, y: made.renderer.rowTop(made.renderer.rowOf(node)) + 8 };
  });
  await flame().locator('canvas').click({ position: at, button: 'right' });
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('[role=menu]').count(), 0);
  await flame().locator('canvas').click({ position: at, button: 'right' });
  await page.getByRole('menuitem', { name: /^Focus/ }).click();
  await settled(page);
  assert.match((await chips()).join(), /focus: ingest::parse::line/);
});

test('the sample session opens from the first screen', async () => {
  const fresh = await newPage(browser.context);
  await fresh.locator('[data-testid=sample]').click();
  await fresh.waitForSelector('[data-testid=status]');
  await settled(fresh);
  assert.ok((await state(fresh)).total > 0);
  await untroubled(fresh);
  await fresh.close();
});

test('reduced motion changes without animation', async () => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.keyboard.press('x');
  await page.waitForTimeout(40);
  assert.equal(await page.evaluate(() => globalThis.rustscopeFlame.renderer.flip), 1);
});

test('odd pixel ratios and resizing neither loop nor blank the canvas', async () => {
  const client = await browser.context.newCDPSession(page);
  for (const ratio of [0.9, 1.1, 1.25, 1.333, 1.5, 2]) {
    await client.send('Emulation.setDeviceMetricsOverride', { width: 1201, height: 801, deviceScaleFactor: ratio, mobile: false });
    await page.mouse.move(300, 300 + ratio * 20);
    await page.waitForTimeout(150);
    const sizes = await page.evaluate(() => {
      const canvas = document.querySelector('[data-testid=flame-main] canvas');
      return { ratio: devicePixelRatio, device: canvas.width, css: canvas.clientWidth, parent: canvas.parentElement.clientWidth };
    });
    assert.ok(Math.abs(sizes.device - sizes.parent * sizes.ratio) <= 1 && sizes.css === sizes.parent, JSON.stringify(sizes));
  }
  await untroubled(page);
});
