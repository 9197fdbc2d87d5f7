// SPDX-License-Identifier: MIT
// Each format gets in by drop, paste and address, told by its content; broken ones get a sentence.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { built, newPage, settled, startBrowser, state, untroubled } from './browser.mjs';
import { makeSession } from './session.mjs';

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

async function drop(page, files) {
  const transfer = await page.evaluateHandle((list) => {
    const data = new DataTransfer();
    for (const { name, bytes } of list) data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
    return data;
  }, files.map(({ name, data }) => ({ name, bytes: Buffer.from(data).toString('base64') })));
  for (const type of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('main', type, { dataTransfer: transfer });
  await page.waitForFunction(() => !document.querySelector('[data-testid=loading]') && (document.querySelector('[data-testid=status]') || document.querySelector('[data-testid=message]')));
  await settled(page);
}

/* ---- small files of each format ---- */

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest);
  return bytes;
}
const field = (number, value) => (typeof value === 'object' ? [...varint(number << 3 | 2), ...varint(value.length), ...value] : [...varint(number << 3), ...varint(value)]);
function pprof() {
  const strings = ['', 'samples', 'count', 'main', 'work', 'a.c'];
  return Buffer.from([
    ...field(1, [...field(1, 1), ...field(2, 2)]),
    ...field(2, [...field(1, [2, 1]), ...field(2, [3])]), ...field(2, [...field(1, [1]), ...field(2, [1])]),
    ...[1, 2].flatMap((id) => field(4, [...field(1, id), ...field(4, [...field(1, id)])])),
    ...[1, 2].flatMap((id) => field(5, [...field(1, id), ...field(2, 2 + id), ...field(4, 5)])),
    ...strings.flatMap((text) => field(6, [...Buffer.from(text)])),
  ]);
}
const speedscope = JSON.stringify({
  $schema: 'https://www.speedscope.app/file-format-schema.json', shared: { frames: [{ name: 'main' }, { name: 'work' }] },
  profiles: [{ type: 'sampled', name: 'cpu', unit: 'milliseconds', startValue: 0, endValue: 4, samples: [[0, 1], [0]], weights: [3, 1] }],
});
const firefox = JSON.stringify({
  meta: { interval: 1, startTime: 0, processType: 0, version: 27, preprocessedProfileVersion: 47, product: 'demo', categories: [{ name: 'Other', color: 'grey', subcategories: ['Other'] }] }, libs: [], pages: [],
  threads: [{
    name: 'main', pid: '1', tid: 1, processType: 'default', registerTime: 0, unregisterTime: null,
    samples: { length: 4, stack: [1, 1, 1, 0], time: [0, 1, 2, 3], weight: null, weightType: 'samples' },
    stackTable: { length: 2, prefix: [null, 0], frame: [0, 1], category: [0, 0], subcategory: [0, 0] },
    frameTable: { length: 2, address: [-1, -1], inlineDepth: [0, 0], category: [0, 0], subcategory: [0, 0], func: [0, 1], nativeSymbol: [null, null], innerWindowID: [0, 0], line: [null, null], column: [null, null] },
    funcTable: { length: 2, name: [0, 1], isJS: [false, false], relevantForJS: [false, false], resource: [-1, -1], fileName: [null, null], lineNumber: [null, null], columnNumber: [null, null] },
    resourceTable: { length: 0, lib: [], name: [], host: [], type: [] }, nativeSymbols: { length: 0, address: [], functionSize: [], libIndex: [], name: [] }, markers: { length: 0, data: [], name: [], startTime: [], endTime: [], phase: [], category: [] }, stringArray: ['main', 'work'],
  }],
});
const chrome = JSON.stringify({ nodes: [{ id: 1, callFrame: { functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 }, children: [2] }, { id: 2, callFrame: { functionName: 'main', scriptId: '1', url: 'a.js', lineNumber: 0, columnNumber: 0 }, children: [3] }, { id: 3, callFrame: { functionName: 'work', scriptId: '1', url: 'a.js', lineNumber: 4, columnNumber: 0 } }], startTime: 0, endTime: 4000, samples: [3, 3, 3, 2], timeDeltas: [0, 1000, 1000, 1000] });
const perf = `work 4242 100.000100: 1000 cycles:\n\t    5555 work+0x10 (/srv/app)\n\t    4444 main+0x20 (/srv/app)\n\nwork 4242 100.001100: 1000 cycles:\n\t    4444 main+0x20 (/srv/app)\n\n`;

const FORMATS = [
  ['rustscope', JSON.stringify(makeSession({ seconds: 2, spike: false }))],
  ['folded', 'main;work 3\r\nmain 1\r\n'],
  ['folded', 'main;work 2.5\nmain;`operator<; ` 1.5\n'],
  ['folded-diff', 'main;work 3 5\nmain 1 1\n'],
  ['pprof', pprof()],
  ['speedscope', speedscope],
  ['firefox', firefox],
  ['chrome', chrome],
  ['perf-script', perf],
];

test('each format, gzipped or not, is told by its content and shown', async () => {
  for (const [format, data] of FORMATS) {
    for (const bytes of [Buffer.from(data), gzipSync(data)]) {
      const page = await newPage(browser.context);
      await drop(page, [{ name: 'no-extension', data: bytes }]);
      const shown = await state(page);
      assert.equal(shown?.format, format, `${format}: ${await page.locator('[data-testid=message]').allInnerTexts()}`);
      assert.ok(shown.nodes >= 3 && shown.total > 0, format);
      await untroubled(page);
      await page.close();
    }
  }
});

test('several files at once open as tabs, a bad one among them is said', async () => {
  const page = await newPage(browser.context);
  await drop(page, [{ name: 'a.folded', data: 'a;b 1\n' }, { name: 'bad', data: '\u0000\u0001\u0002 not a profile' }, { name: 'b.folded', data: 'a;c 2\n' }]);
  assert.deepEqual(await page.locator('[data-testid=session-tab]').allInnerTexts(), ['a.folded', 'b.folded']);
  assert.match(await page.locator('[data-testid=message]').innerText(), /^bad: /);
  await page.getByRole('button', { name: 'Close a.folded' }).click();
  assert.equal(await page.evaluate(() => globalThis.rustscope.get().tabs.length), 1);
  await page.close();
});

test('broken, empty and foreign files get a sentence', async () => {
  const session = JSON.stringify(makeSession({ seconds: 1 }));
  for (const data of ['', '{', session.slice(0, session.length / 2), '{"schema_version": 99}', '{"a": 1}', gzipSync(session).subarray(0, 400), Buffer.alloc(3000, 255)]) {
    const page = await newPage(browser.context);
    await drop(page, [{ name: 'broken', data }]);
    const said = await page.locator('[data-testid=message]').innerText();
    assert.match(said, /^broken: .{15,}\./s, said);
    assert.equal(await page.locator('[data-testid=drop]').count(), 1);
    await untroubled(page);
    await page.close();
  }
});

test('text pasted anywhere opens', async () => {
  const page = await newPage(browser.context);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData('text/plain', 'main;pasted 4\nmain 1\n');
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
  });
  await page.waitForSelector('[data-testid=status]');
  await settled(page);
  assert.equal((await state(page)).total, 5);
  await page.close();
});

test('?url= loads from the same origin, and from nowhere else', async () => {
  const served = [];
  const server = createServer((request, response) => {
    served.push(request.url);
    const path = request.url.split('?')[0];
    response.end(path === '/viewer/' ? readFileSync(built) : path === '/viewer/data/x.folded' ? 'main;work 3\n' : '');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.on('listening', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const page = await newPage(browser.context, `${origin}/viewer/?url=data/x.folded`);
  await page.waitForSelector('[data-testid=status]');
  await settled(page);
  assert.equal((await state(page)).total, 3);
  assert.deepEqual(page.requests, [`${origin}/viewer/?url=data/x.folded`, `${origin}/viewer/data/x.folded`]);
  await untroubled(page);
  const foreign = await newPage(browser.context, `${origin}/viewer/?url=http://192.0.2.1/x.folded`);
  assert.match(await foreign.locator('[data-testid=message]').innerText(), /server that this page came from/);
  assert.equal(foreign.requests.length, 1);
  await page.close();
  await foreign.close();
  server.close();
});

test('files get in through the picker', async () => {
  const page = await newPage(browser.context);
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.locator('[data-testid=drop]').click()]);
  await chooser.setFiles([{ name: 'picked.folded', mimeType: 'text/plain', buffer: Buffer.from('main;work 3\n') }]);
  await page.waitForSelector('[data-testid=status]');
  await settled(page);
  assert.equal((await state(page)).total, 3);
  await page.close();
});

test('a load can be cancelled', async () => {
  const page = await newPage(browser.context);
  const lines = [];
  for (let i = 0; i < 400000; i++) lines.push(`main;f${i % 1000};g${(i * 7) % 977};h${(i * 31) % 4999};i${i % 313} 1`);
  await page.evaluate((text) => void globalThis.rustscope.load([{ name: 'big.folded', data: new Blob([text]) }]), lines.join('\n'));
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.waitForTimeout(400);
  assert.equal(await page.locator('[data-testid=loading]').count(), 0);
  assert.equal(await page.evaluate(() => globalThis.rustscope.get().tabs.length), 0);
  await drop(page, [{ name: 'a.folded', data: 'a;b 1\n' }]);
  assert.equal((await state(page)).total, 1);
  await page.close();
});
